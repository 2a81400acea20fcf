namespace WebRtcIms.Wwsf.Settings;

/// <summary>Demonstrations for the stage of the page. They exist only in Development.</summary>
internal sealed class StageSettings
{
    /// <summary>Whether there are any; by default in Development. Elsewhere the service does not start with true.</summary>
    public bool? Enabled { get; set; }

    public bool IsOn => Enabled == true;

    /// <summary>Another TURN server of the WAF: its tokens are shown to ours, which refuses them.</summary>
    public string? OtherTurnServerName { get; set; }

    /// <summary>The management endpoints of the TURN servers, which show what they found in a token.</summary>
    public List<string> TurnManagement { get; set; } = [];

    /// <summary>Where the application host stops and starts parts. Without it no part can be stopped.</summary>
    public string? Control { get; set; }

    /// <summary>The key of <see cref="Control"/>.</summary>
    public Redacted<string>? ControlKey { get; set; }

    public IEnumerable<string> Complete(IHostEnvironment environment)
    {
        if (Enabled == true && !environment.IsDevelopment()) yield return "Wwsf:Stage:Enabled can be true only in Development";
        Enabled = environment.IsDevelopment() && Enabled != false;
        foreach (var (name, url) in TurnManagement.Select((url, index) => ($"{nameof(TurnManagement)}:{index}", (string?)url))
            .Append((nameof(Control), Control)))
        {
            if (url is not null && HttpAddress.Parse(url) is null)
                yield return $"Wwsf:Stage:{name} must be an address such as http://localhost:8080{SettingText.Not(url)}";
        }
    }
}
