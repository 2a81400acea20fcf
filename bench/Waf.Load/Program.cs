using System.Globalization;
using WebRtcIms.Waf.Load;

// Runs a stock OpenIddict server and the WAF in turn (A B A B) under the same load. Prints the medians and the ratio of each round,
// because on a noisy machine only figures of the same minute are comparable. `stock` is how the program runs the other server.
if (args is ["stock", .. var stock]) return await StockServer.RunAsync(stock);
if (LoadOptions.Parse(args) is not { } options) return 2;

string[] servers = [ServerKind.Stock, ServerKind.StockWithoutStorage, ServerKind.Waf];
foreach (var method in (string[])[AuthenticationMethod.Secret, AuthenticationMethod.Key])
{
    var results = servers.ToDictionary(server => server, _ => new List<LoadResult>());
    for (var round = 0; round < options.Rounds; round++)
    {
        foreach (var server in servers)
        {
            using var redis = new RedisProcess();
            using var process = await WafProcess.StartAsync(server, redis.Address);
            results[server].Add(await LoadRun.RunAsync(process, method, options));
        }

        Console.Error.WriteLine($"{method}: round {round + 1} of {options.Rounds}");
    }

    Console.WriteLine($"\n{method}, {options.AtOnce} at a time, {options.Tokens} tokens in each round\n");
    Console.WriteLine("| server | tokens per CPU second | WAF / server | of the rounds | p50 ms | p99 ms | tokens per second |");
    Console.WriteLine("|---|---|---|---|---|---|---|");
    foreach (var server in servers) Print(server, results[server], results[ServerKind.Waf]);
}

return 0;

static void Print(string server, List<LoadResult> theirs, List<LoadResult> ours)
{
    var ratios = theirs.Zip(ours, (their, our) => our.TokensPerCpuSecond / their.TokensPerCpuSecond).Order().ToList();
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"| {server} | {Median(theirs, result => result.TokensPerCpuSecond):0} | {ratios[ratios.Count / 2]:0.00} "
        + $"| {ratios[0]:0.00} to {ratios[^1]:0.00} | {Median(theirs, result => result.P50):0.00} "
        + $"| {Median(theirs, result => result.P99):0.00} | {Median(theirs, result => result.TokensPerSecond):0} |"));
}

static double Median(List<LoadResult> results, Func<LoadResult, double> read) =>
    results.Select(read).Order().ElementAt(results.Count / 2);
