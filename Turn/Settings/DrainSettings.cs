using System.ComponentModel.DataAnnotations;
using System.Net;

namespace WebRtcIms.Turn.Settings;

/// <summary>How the server drains after SIGTERM.</summary>
internal sealed class DrainSettings
{
    /// <summary>How long existing allocations may continue. The default is zero.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00", ErrorMessage = "{0} must be a time from {1} to {2}")]
    public TimeSpan Deadline { get; set; }

    /// <summary>
    /// Where new clients are sent meanwhile, one address for each family, separated by commas: <c>192.0.2.7</c> for the port that
    /// the client has used here, or <c>192.0.2.7:3478</c>. Without one they get 508.
    /// </summary>
    public string? AlternateServer { get; set; }

    public IEnumerable<string> Problems()
    {
        foreach (var text in Alternates().Where(text => !IPEndPoint.TryParse(text, out _)))
            yield return $"Turn:Drain:AlternateServer: '{text}' is not an address such as 192.0.2.7 or [2001:db8::7]:3478";
    }

    public string[] Alternates() =>
        (AlternateServer ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
