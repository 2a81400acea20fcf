namespace WebRtcIms.Contracts;

/// <summary>The OAuth scopes that the WWSF asks the WAF for.</summary>
public static class Scopes
{
    /// <summary>A TURN token (RFC 7635).</summary>
    public const string Stun = "stun";

    /// <summary>An IMS registration token (RFC 8898).</summary>
    public const string ImsRegister = "ims.register";

    /// <summary>Every scope. The WAF registers them, and permits them to its clients.</summary>
    public static IReadOnlyList<string> All { get; } = [Stun, ImsRegister];

    /// <summary>The scopes with or without registration tokens.</summary>
    public static IEnumerable<string> Of(bool registers) => All.Where(scope => registers || scope != ImsRegister);
}
