using System.Net;

namespace WebRtcIms.Turn.Settings;

/// <summary>What happens between SIGTERM and the end.</summary>
internal sealed class DrainSettings
{
    /// <summary>How long the allocations that are there may go on; by default not at all.</summary>
    public TimeSpan Deadline { get; set; }

    /// <summary>
    /// Where new clients are sent meanwhile, one address for each family, separated by commas: <c>192.0.2.7</c> for the port that
    /// the client has used here, or <c>192.0.2.7:3478</c>. Without one they get 508.
    /// </summary>
    public string? AlternateServer { get; set; }

    public IEnumerable<string> Problems()
    {
        if (Deadline < TimeSpan.Zero || Deadline > TimeSpan.FromDays(1)) yield return "Turn:Drain:Deadline must be a time from 00:00:00 to 1.00:00:00";
        foreach (var text in Alternates().Where(text => !IPEndPoint.TryParse(text, out _)))
            yield return $"Turn:Drain:AlternateServer: '{text}' is no address such as 192.0.2.7 or [2001:db8::7]:3478";
    }

    public string[] Alternates() => (AlternateServer ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
