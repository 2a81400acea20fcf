namespace WebRtcIms.Abuse.Findings;

/// <summary>The authorization server, and how the parts protect what they send and keep: S7, S19, S20, S22 and S23.</summary>
internal static class WafFindings
{
    private static readonly HttpClient Http = new();

    public static IReadOnlyList<Finding> All { get; } =
    [
        new("S20", SecretInTheQuery),
    ];

    /// <summary>GET with the password in the query. Development may serve it: the text of 3GPP has it.</summary>
    private static async Task<Verdict> SecretInTheQuery(Targets targets)
    {
        var own = await targets.OwnAsync();
        var settings = own.WafSettings(targets.NewFolder());
        await using var waf = await Part.StartAsync("Waf", InProduction(settings));
        using var answer = await Http.GetAsync(new Uri(waf.Address,
            "/oauth2/token?grant_type=client_credentials&scope=stun&aud=turn.webrtcims.local&client_id=wwsf"
            + $"&client_password={Uri.EscapeDataString(settings["Waf__Clients__0__ClientSecret"])}"));
        return Verdict.If(!answer.IsSuccessStatusCode, $"GET /oauth2/token in Production is answered with {(int)answer.StatusCode}");
    }

    private static Dictionary<string, string> InProduction(Dictionary<string, string> settings) => new(settings)
    {
        ["ASPNETCORE_ENVIRONMENT"] = "Production",
        ["AllowedHosts"] = "localhost",
    };
}
