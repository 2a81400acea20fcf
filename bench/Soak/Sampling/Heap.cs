using System.Diagnostics.Tracing;
using System.Globalization;
using Microsoft.Diagnostics.NETCore.Client;

namespace WebRtcIms.Soak.Sampling;

/// <summary>
/// What a .NET process keeps: its heap after a full collection. Resident memory also has garbage, and what the collector keeps in reserve.
/// </summary>
internal static class Heap
{
    // GCHeapCollect of the runtime's own events: a session with it begins with a full collection.
    private const long Collect = 0x800000;
    private const string Sizes = "dotnet_gc_last_collection_heap_size_bytes{";
    private const string Fragments = "dotnet_gc_last_collection_heap_fragmentation_size_bytes{";
    private const string Collections = "dotnet_gc_collections_total{";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly HttpClient Http = new();

    /// <returns>Kilobytes.</returns>
    public static async Task<long> CollectAsync(int process, Uri address)
    {
        var before = await ReadAsync(address, Collections, line => line.Contains("gen2", StringComparison.Ordinal));
        var provider = new EventPipeProvider("Microsoft-Windows-DotNETRuntime", EventLevel.Informational, Collect);
        var client = new DiagnosticsClient(process);
        using (var session = await client.StartEventPipeSessionAsync(
            [provider], requestRundown: false, circularBufferMB: 1, CancellationToken.None))
        {
            var reading = session.EventStream.CopyToAsync(Stream.Null);
            using var limit = new CancellationTokenSource(Limit);
            while (await ReadAsync(address, Collections, line => line.Contains("gen2", StringComparison.Ordinal)) <= before)
                await Task.Delay(50, limit.Token);
            await session.StopAsync(CancellationToken.None);
            await reading;
        }

        // What is free between kept objects is not kept.
        return (long)((await ReadAsync(address, Sizes, _ => true) - await ReadAsync(address, Fragments, _ => true)) / 1024);
    }

    private static async Task<double> ReadAsync(Uri address, string metric, Predicate<string> isWanted)
    {
        var metrics = await Http.GetStringAsync(new Uri(address, "/metrics"));
        var lines = metrics.Split('\n').Where(line => line.StartsWith(metric, StringComparison.Ordinal) && isWanted(line)).ToList();
        if (lines.Count == 0) throw new InvalidOperationException($"{address} has no metric {metric}");
        // A line may end with a time.
        return lines.Sum(line => double.Parse(line[(line.LastIndexOf('}') + 2)..].Split(' ')[0], CultureInfo.InvariantCulture));
    }
}
