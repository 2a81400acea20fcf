using System.Globalization;
using Microsoft.Playwright;
using WebRtcIms.Page.Load;

// Measures what a person waits for: log in, register and call. The application runs already.
if (LoadOptions.Parse(args) is not { } options) return 2;
await using var page = await CallingPage.StartAsync();
List<CallTimes> times = [];
var failed = 0;
// The first call starts the browser's processes and does not count, but it may not fail.
for (var i = 0; i <= options.Calls; i++)
{
    try
    {
        var call = await page.CallAsync(options.Address);
        if (i > 0) times.Add(call);
    }
    catch (Exception error) when (error is PlaywrightException or TimeoutException)
    {
        failed++;
        Console.Error.WriteLine($"call {i}: {error.Message.Split('\n')[0]}");
    }
}

Print("log-in to registered", times.ConvertAll(each => each.Online));
Print("log-in to media", times.ConvertAll(each => each.InCall));
Console.WriteLine($"{times.Count} calls, {failed} failed");
return failed == 0 ? 0 : 1;

static void Print(string name, List<TimeSpan> times)
{
    if (times.Count == 0) return;
    times.Sort();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{name}: p50 {At(0.5):0} ms, p90 {At(0.9):0} ms, p99 {At(0.99):0} ms, longest {times[^1].TotalMilliseconds:0} ms"));

    double At(double share) => times[Math.Min(times.Count - 1, (int)(share * times.Count))].TotalMilliseconds;
}
