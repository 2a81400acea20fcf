using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using WebRtcIms.Soak.Churn;
using WebRtcIms.Soak.Running;
using WebRtcIms.Soak.Sampling;

namespace WebRtcIms.Soak;

/// <summary>Runs calls for the given time and judges whether all figures stay flat.</summary>
internal static class SoakRun
{
    private const int LinesOfEntry = 6;
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(30);

    /// <returns>Whether no call failed, all is flat, and nothing is left.</returns>
    public static async Task<bool> RunAsync(SoakOptions options)
    {
        await using var system = await SoakSystem.StartAsync(options.HasPostgres);
        var sockets = ProcessFigures.Of(system["turn"].Id).UdpSockets;
        var logged = system.Processes.ToDictionary(part => part.Part, part => part.Output.Length);
        var churn = new CallChurn(system.Gateway, options);
        await using var sampler = await Sampler.StartAsync(system);

        var watch = Stopwatch.StartNew();
        var running = churn.RunAsync();
        var warmUp = options.WarmUp;
        await ReportUntilAsync(running, churn, watch, TimeSpan.FromMinutes(warmUp));
        var start = (churn.Calls, churn.Pages, watch.Elapsed, Cpu: await sampler.ReadCpuAsync(),
            Redis: await sampler.ReadRedisAsync(hasKeys: false));
        await ReportUntilAsync(running, churn, watch, TimeSpan.FromMinutes(options.Minutes));
        var end = (churn.Calls, churn.Pages, watch.Elapsed, Cpu: await sampler.ReadCpuAsync(), Redis: await sampler.ReadRedisAsync());
        await running;
        await sampler.StopAsync();

        var rate = new Rate(
            end.Calls - start.Calls, end.Pages - start.Pages, (end.Elapsed - start.Elapsed).TotalSeconds,
            end.Cpu.ToDictionary(entry => entry.Key, entry => entry.Value - start.Cpu[entry.Key]),
            Difference(start.Redis.Commands, end.Redis.Commands));
        var isFlat = Print(sampler, warmUp, end.Calls - start.Calls);
        Print(rate, end.Redis);
        List<string> problems = [.. await Remains.FindAsync(system, sampler, sockets, churn.Pages), .. ErrorsOf(system, logged)];
        foreach (var problem in problems) Console.WriteLine(problem);
        Console.WriteLine(
            $"{churn.Calls} calls of {churn.Pages} pages, {churn.Failed} failed, {Patience.Repeated} requests sent again; " +
            $"{(isFlat ? "all figures are flat" : "NOT FLAT")}");
        if (options.Json is { } file) await File.WriteAllTextAsync(file, JsonSerializer.Serialize(rate, JsonOutput.Options));
        return isFlat && churn.Calls > 0 && churn.Failed == 0 && problems.Count == 0;
    }

    private static async Task ReportUntilAsync(Task running, CallChurn churn, Stopwatch watch, TimeSpan end)
    {
        while (!running.IsCompleted && watch.Elapsed < end)
        {
            var wait = end - watch.Elapsed < ReportInterval ? end - watch.Elapsed : ReportInterval;
            await Task.WhenAny(running, Task.Delay(wait + TimeSpan.FromMilliseconds(10)));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{watch.Elapsed:hh\\:mm\\:ss} {churn.Calls} calls, {churn.Pages} pages, {churn.Failed} failed"));
        }
    }

    private static bool Print(Sampler sampler, double warmUp, long calls)
    {
        Console.WriteLine("\n| Process | Figure | first third | last third | trend per minute | most | |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        var isFlat = true;
        foreach (var (process, series) in sampler.All.OrderBy(entry => entry.Process, StringComparer.Ordinal))
        {
            var verdict = series.Judge(warmUp, calls);
            isFlat &= verdict.IsFlat;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {process} | {series.Name} | {verdict.First:0} {series.Unit} | {verdict.Last:0} {series.Unit} | " +
                $"{verdict.PerMinute:+0.0;-0.0;0} | {series.Peak:0} | {(verdict.IsFlat ? "flat" : "GROWS")} |"));
        }

        return isFlat;
    }

    private static void Print(Rate rate, RedisFigures redis)
    {
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"\nAfter the warm-up: {rate.Calls * 60 / rate.Seconds:0} calls and {rate.Pages * 60 / rate.Seconds:0} log-ins a minute"));
        Console.WriteLine("\n| Process | CPU for a call, ms | of one processor |");
        Console.WriteLine("|---|---|---|");
        foreach (var (process, seconds) in rate.Cpu.OrderByDescending(entry => entry.Value))
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {process} | {seconds * 1000 / rate.Calls:0.00} | {seconds / rate.Seconds:0.0 %} |"));
        }

        var commands = rate.Commands.OrderByDescending(entry => entry.Value).Take(12)
            .Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Value / (double)rate.Calls:0.0} {entry.Key}"));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"\nRedis: {rate.Commands.Values.Sum() / (double)rate.Calls:0.0} commands for a call, with those of scripts: " +
            $"{string.Join(", ", commands)}"));
        Console.WriteLine("Keys at the end: " + string.Join(
            ", ", redis.Prefixes.OrderByDescending(entry => entry.Value).Select(entry => $"{entry.Value} {entry.Key}")));
    }

    // A store that is made at the start logs that it is missing. An entry of the console has its message in the next lines.
    private static IEnumerable<string> ErrorsOf(SoakSystem system, Dictionary<string, int> logged)
    {
        foreach (var part in system.Processes)
        {
            var lines = part.Output[logged[part.Part]..].Split('\n');
            var errors = lines.Index().Where(line => IsError(line.Item)).Select(line => line.Index).ToList();
            if (errors.Count == 0) continue;
            var first = string.Join(' ', lines.Skip(errors[0]).Take(LinesOfEntry).Select(line => line.Trim()));
            yield return $"{part.Part} logged {errors.Count} errors, such as: {first}";
        }

        static bool IsError(string line) =>
            line.Contains("fail:", StringComparison.Ordinal) || line.Contains("crit:", StringComparison.Ordinal);
    }

    private static Dictionary<string, long> Difference(IReadOnlyDictionary<string, long> before, IReadOnlyDictionary<string, long> after) =>
        after.ToDictionary(entry => entry.Key, entry => entry.Value - before.GetValueOrDefault(entry.Key))
            .Where(entry => entry.Value > 0).ToDictionary();
}
