using System.Net.Http.Headers;

namespace WebRtcIms.Wwsf.Waf;

/// <summary>The header <c>Server-Timing</c>, with which the page shows the steps that it cannot see.</summary>
internal static partial class ServerTiming
{
    public const string Header = "Server-Timing";

    public static string Write(TimeSpan sessionChecked, TimeSpan wafAnswered, TimeSpan? tokenMade)
    {
        var text = $"{Metric("step3", sessionChecked, "session checked")}, {Metric("step4", wafAnswered, "WAF answered")}";
        return tokenMade is { } made ? $"{text}, {Metric("step5", made, "token made")}" : text;
    }

    /// <summary>The duration that the WAF reports for step 5, if any.</summary>
    public static TimeSpan? ReadStep5(HttpResponseHeaders headers)
    {
        if (!headers.TryGetValues(Header, out var values)) return null;
        var match = Step5().Match(string.Join(", ", values));
        return match.Success && double.TryParse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture, out var milliseconds)
            ? TimeSpan.FromMilliseconds(milliseconds)
            : null;
    }

    private static string Metric(string name, TimeSpan duration, string description) =>
        string.Create(CultureInfo.InvariantCulture, $"{name};dur={duration.TotalMilliseconds:0.###};desc=\"{description}\"");

    [GeneratedRegex(@"(?:^|,)\s*step5\s*;[^,]*?\bdur=(\d{1,9}(?:\.\d{1,9})?)(?![\d.])")]
    private static partial Regex Step5();
}
