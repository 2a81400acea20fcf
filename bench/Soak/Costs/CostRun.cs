using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using WebRtcIms.Soak.Churn;
using WebRtcIms.Soak.Running;
using WebRtcIms.Soak.Sampling;

namespace WebRtcIms.Soak.Costs;

/// <summary>Measures what each operation of users costs each process, one kind of operation after the other.</summary>
internal sealed class CostRun
{
    private const int AtOnce = 8;
    private const int Pages = 64;

    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(20);

    // Exporters send within this time, and that belongs to the operations.
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(2);

    private readonly Sampler _meter;
    private readonly Dictionary<string, Cost> _costs = [];
    private readonly Dictionary<string, double> _sizes = [];
    private Dictionary<string, double> _idleCpu = [];
    private Dictionary<string, double> _idleCommands = [];

    private CostRun(Sampler meter) => _meter = meter;

    public static async Task<bool> RunAsync(SoakOptions options)
    {
        await using var system = await SoakSystem.StartAsync(options.HasPostgres);
        await using var meter = await Sampler.ConnectAsync(system);
        var run = new CostRun(meter);
        List<Page> pages = [];
        try
        {
            await run.RunAsync(system, options.Costs, pages);
            await run.HoldAsync(system, options.Costs, pages);
        }
        finally
        {
            foreach (var page in pages) page.Dispose();
        }

        Print(run._costs);
        foreach (var (name, octets) in run._sizes)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {octets:0} octets"));
        if (options.Json is not { } file) return true;
        var all = new { operations = run._costs, octets = run._sizes };
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(all, JsonOutput.Options));
        return true;
    }

    private async Task RunAsync(SoakSystem system, int count, List<Page> pages)
    {
        for (var number = 0; number < Pages; number++) pages.Add(await Page.OfGuestAsync(system.Gateway));
        // Twice, because a young process compiles. The second time counts.
        foreach (var isWarmUp in new[] { true, false })
        {
            if (!isWarmUp) await MeasureIdleAsync();
            await MeasureAsync("turn_token", count, number => pages[number % Pages].GetTurnTokenAsync());
            await MeasureAsync("ims_token", count, number => pages[number % Pages].GetImsTokenAsync());
            await MeasureAsync("token_and_registration", count, number => pages[number % Pages].RenewAsync(), pages: Pages);
            await MeasureAsync("sip_call", count, number => SignalAsync(pages, number), pages: Pages / 2);
            await MeasureAsync("token_and_allocation", count, number => AllocateAsync(pages[number % Pages]));
            await MeasureAsync("guest_log_in_and_out", count / 4, async _ =>
            {
                using var page = await Page.OfGuestAsync(system.Gateway);
                await page.SignOutAsync();
            });
        }
    }

    /// <summary>What a registered page takes in the gateway and in the eP-CSCF, and each key in Redis.</summary>
    private async Task HoldAsync(SoakSystem system, int count, List<Page> pages)
    {
        foreach (var (name, octets) in await _meter.ReadKeySizesAsync()) _sizes[$"redis {name}"] = octets;
        string[] parts = ["wic-web", "ep-cscf"];
        var before = await Task.WhenAll(parts.Select(HeapAndResidentAsync));
        for (var number = 0; number < count; number++) pages.Add(await Page.OfGuestAsync(system.Gateway));
        var after = await Task.WhenAll(parts.Select(HeapAndResidentAsync));
        for (var part = 0; part < parts.Length; part++)
        {
            _sizes[$"{parts[part]} page, heap"] = (after[part].Heap - before[part].Heap) * 1024.0 / count;
            _sizes[$"{parts[part]} page, resident"] = (after[part].Resident - before[part].Resident) * 1024.0 / count;
        }

        async Task<(long Heap, long Resident)> HeapAndResidentAsync(string part) => (
            await Heap.CollectAsync(system[part].Id, system.AddressOf(part)), ProcessFigures.Of(system[part].Id).ResidentKilobytes);
    }

    private static async Task SignalAsync(List<Page> pages, int number)
    {
        var (caller, callee) = (pages[number % (Pages / 2)], pages[(Pages / 2) + (number % (Pages / 2))]);
        await callee.Sip.HangUpAsync(await caller.Sip.CallAsync(callee.Sip), caller.Sip);
    }

    private static async Task AllocateAsync(Page page)
    {
        var (client, credential) = await page.ConnectToTurnAsync();
        await using (client)
        {
            await using var allocation = await client.AllocateAsync(credential);
            await allocation.CreatePermissionAsync(allocation.RelayedAddress.Address);
        }
    }

    private async Task MeasureIdleAsync()
    {
        var (cpu, redis) = (await _meter.ReadCpuAsync(), await _meter.ReadRedisAsync(hasKeys: false));
        await Task.Delay(Idle);
        var (laterCpu, laterRedis) = (await _meter.ReadCpuAsync(), await _meter.ReadRedisAsync(hasKeys: false));
        _idleCpu = cpu.ToDictionary(entry => entry.Key, entry => (laterCpu[entry.Key] - entry.Value) / Idle.TotalSeconds);
        _idleCommands = laterRedis.Commands.ToDictionary(
            entry => entry.Key, entry => (entry.Value - redis.Commands.GetValueOrDefault(entry.Key)) / Idle.TotalSeconds);
        _costs["idle_second"] = new(
            1, 1, _idleCpu.ToDictionary(entry => entry.Key, entry => entry.Value * 1e6), _idleCommands.Values.Sum(), _idleCommands);
    }

    /// <summary>Runs the operation so often. With a number of pages, no page has two at a time.</summary>
    private async Task MeasureAsync(string name, int count, Func<int, Task> operation, int pages = AtOnce)
    {
        var (cpu, redis, watch) = (await _meter.ReadCpuAsync(), await _meter.ReadRedisAsync(hasKeys: false), Stopwatch.StartNew());
        var next = -1;
        var ran = TimeSpan.Zero;
        await Task.WhenAll(Enumerable.Range(0, Math.Min(AtOnce, pages)).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var number && number < count) await operation(number);
        })));
        ran = watch.Elapsed;
        await Task.Delay(Settle);
        var seconds = watch.Elapsed.TotalSeconds;
        var (laterCpu, laterRedis) = (await _meter.ReadCpuAsync(), await _meter.ReadRedisAsync(hasKeys: false));
        double Own(string command, long executed) =>
            executed - redis.Commands.GetValueOrDefault(command) - (_idleCommands.GetValueOrDefault(command) * seconds);
        var commands = laterRedis.Commands.ToDictionary(entry => entry.Key, entry => Own(entry.Key, entry.Value) / count)
            .Where(entry => entry.Value >= 0.05).ToDictionary();
        _costs[name] = new(
            count, count / ran.TotalSeconds,
            cpu.ToDictionary(
                entry => entry.Key,
                entry => (laterCpu[entry.Key] - entry.Value - (_idleCpu.GetValueOrDefault(entry.Key) * seconds)) * 1e6 / count),
            commands.Values.Sum(), commands);
    }

    private static void Print(Dictionary<string, Cost> costs)
    {
        var processes = costs["idle_second"].CpuMicroseconds.Keys.ToList();
        var titles = string.Join(" | ", processes.Select(process => $"{process}, CPU µs"));
        Console.WriteLine($"| operation | number | per second | {titles} | Redis commands |");
        Console.WriteLine($"|---|---|---|{string.Concat(processes.Select(_ => "---|"))}---|");
        foreach (var (name, cost) in costs)
        {
            var cpu = string.Join(
                " | ", processes.Select(process => cost.CpuMicroseconds[process].ToString("0", CultureInfo.InvariantCulture)));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {name} | {cost.Count} | {cost.PerSecond:0.0} | {cpu} | {cost.RedisCommands:0.0} |"));
        }

        foreach (var (name, cost) in costs)
        {
            Console.WriteLine($"{name}: " + string.Join(", ", cost.Commands.OrderByDescending(entry => entry.Value)
                .Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Value:0.0} {entry.Key}"))));
        }
    }
}
