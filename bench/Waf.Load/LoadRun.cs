using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;

namespace WebRtcIms.Waf.Load;

/// <summary>What one run measured. Times are in milliseconds, and are those of a client on this machine.</summary>
internal sealed record LoadResult(double TokensPerCpuSecond, double TokensPerSecond, double P50, double P99);

/// <summary>Requests tokens in a closed loop, and checks each response.</summary>
internal static class LoadRun
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    public static async Task<LoadResult> RunAsync(WafProcess server, string method, LoadOptions options)
    {
        using var http = new HttpClient { BaseAddress = server.Address };
        using var client = await LoadClient.CreateAsync(http, server, method);

        // A running server has compiled its busy code. The runtime does that when no new code runs for a second, and later again.
        for (var i = 0; i < 3; i++)
        {
            await RequestAsync(http, client, options);
            await Task.Delay(Pause);
        }

        var requests = client.Prepare(options.Tokens);
        var (cpu, started) = (server.CpuMicroseconds, Stopwatch.GetTimestamp());
        var times = await RequestAsync(http, requests, options.AtOnce);
        var (elapsed, used) = (Stopwatch.GetElapsedTime(started), server.CpuMicroseconds - cpu);
        times.Sort();
        return new LoadResult(
            options.Tokens / (used / 1e6), options.Tokens / elapsed.TotalSeconds, times[times.Count / 2], times[times.Count * 99 / 100]);
    }

    private static Task<List<double>> RequestAsync(HttpClient http, LoadClient client, LoadOptions options) =>
        RequestAsync(http, client.Prepare(options.Tokens), options.AtOnce);

    private static async Task<List<double>> RequestAsync(HttpClient http, IReadOnlyList<TokenRequest> requests, int atOnce)
    {
        var (queue, times) = (new ConcurrentQueue<TokenRequest>(requests), new ConcurrentBag<double>());
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(async _ =>
        {
            while (queue.TryDequeue(out var request))
            {
                var started = Stopwatch.GetTimestamp();
                using var message = request.ToMessage();
                using var response = await http.SendAsync(message);
                var body = await response.Content.ReadAsStringAsync();
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                if (!response.IsSuccessStatusCode) throw new InvalidOperationException($"{(int)response.StatusCode}: {body}");
                using var token = JsonDocument.Parse(body);
                if (string.IsNullOrEmpty(token.RootElement.GetProperty("access_token").GetString()))
                    throw new InvalidOperationException("There is no token in the response.");
            }
        }));
        return [.. times];
    }
}
