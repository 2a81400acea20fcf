using System.Diagnostics;

namespace WebRtcIms.Sip.Load;

/// <summary>The CPU cost, rate and duration of an operation.</summary>
/// <param name="PerSecond">Rate of operations. Generator and server share the cores.</param>
/// <param name="CpuMicroseconds">CPU time of the server per operation.</param>
/// <param name="MedianMilliseconds">Median duration of one operation.</param>
internal sealed record LoadResult(double PerSecond, double CpuMicroseconds, double MedianMilliseconds);

/// <param name="Connect">Connection, upgrade and first registration.</param>
/// <param name="KilobytesPerWic">Memory of the server for each registered WIC that is connected and idle.</param>
/// <param name="Register">Another registration over the same connection.</param>
/// <param name="Call">INVITE, 180, 200, ACK, BYE, 200.</param>
internal sealed record LoadResults(LoadResult Connect, double KilobytesPerWic, LoadResult Register, LoadResult Call);

/// <summary>One server under load: pages connect and register, register again, and call each other.</summary>
internal static class LoadRun
{
    private const int WarmUp = 200;

    public static async Task<LoadResults> RunAsync(SipServerProcess server, LoadOptions options)
    {
        List<LoadWic> wics = [.. Enumerable.Range(1, WarmUp + options.Wics).Select(number => new LoadWic(server, number))];
        try
        {
            // The measurement starts after a warm-up, because a new server runs code that is not yet optimized.
            await MeasureAsync(server, wics[..WarmUp], options.AtOnce, ConnectAsync);
            for (var i = 0; i < 3; i++) await RegisterAllAsync(server, wics[..WarmUp], options);
            for (var i = 0; i < 10; i++) await CallAllAsync(server, wics[..WarmUp], options);

            await Task.Delay(1000);
            var before = server.Kilobytes;
            var connect = await MeasureAsync(server, wics[WarmUp..], options.AtOnce, ConnectAsync);
            await Task.Delay(1000);
            var kilobytes = (server.Kilobytes - before) / (double)options.Wics;

            await RegisterAllAsync(server, wics, options);
            var register = await RegisterAllAsync(server, wics, options, options.Rounds);
            await CallAllAsync(server, wics, options);
            var call = await CallAllAsync(server, wics, options, options.Rounds);
            return new(connect, kilobytes, register, call);
        }
        finally
        {
            foreach (var wic in wics) wic.Dispose();
        }
    }

    private static async Task<TimeSpan> ConnectAsync(LoadWic wic)
    {
        var start = Stopwatch.GetTimestamp();
        await wic.ConnectAsync();
        await wic.RegisterAsync();
        return Stopwatch.GetElapsedTime(start);
    }

    private static Task<LoadResult> RegisterAllAsync(SipServerProcess server, List<LoadWic> wics, LoadOptions options, int rounds = 1) =>
        MeasureAsync(server, [.. Enumerable.Repeat(wics, rounds).SelectMany(all => all)], options.AtOnce, async wic =>
        {
            var start = Stopwatch.GetTimestamp();
            await wic.RegisterAsync();
            return Stopwatch.GetElapsedTime(start);
        });

    // The first half of the pages calls the second half.
    private static Task<LoadResult> CallAllAsync(SipServerProcess server, List<LoadWic> wics, LoadOptions options, int rounds = 1)
    {
        var pairs = Enumerable.Range(0, wics.Count / 2).Select(i => (Caller: wics[i], Callee: wics[i + (wics.Count / 2)])).ToList();
        return MeasureAsync(
            server, [.. Enumerable.Repeat(pairs, rounds).SelectMany(all => all)], options.AtOnce, pair =>
                pair.Caller.CallAsync(pair.Callee));
    }

    /// <summary>Runs each operation once, with limited concurrency.</summary>
    private static async Task<LoadResult> MeasureAsync<T>(
        SipServerProcess server, IReadOnlyList<T> all, int atOnce, Func<T, Task<TimeSpan>> operation)
    {
        var durations = new double[all.Count];
        var next = -1;
        var (cpu, start) = (server.CpuMicroseconds, Stopwatch.GetTimestamp());
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var index && index < all.Count)
                durations[index] = (await operation(all[index])).TotalMilliseconds;
        })));
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Array.Sort(durations);
        return new(all.Count / seconds, (server.CpuMicroseconds - cpu) / all.Count, durations[durations.Length / 2]);
    }
}
