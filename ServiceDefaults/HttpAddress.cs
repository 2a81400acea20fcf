namespace WebRtcIms.ServiceDefaults;

/// <summary>The address of a service of others, such as <c>https://waf.example.org:8444/</c>.</summary>
public static class HttpAddress
{
    private static readonly string[] Schemes = [Uri.UriSchemeHttp, Uri.UriSchemeHttps];

    /// <summary>The address; null when the text is not an absolute http or https address with a host and a port that exists.</summary>
    public static Uri? Parse(string? text) =>
        text is { Length: > 0 } && !text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c))
        && Uri.TryCreate(text, UriKind.Absolute, out var address)
        && Array.IndexOf(Schemes, address.Scheme) >= 0 && address is { Host.Length: > 0, Port: > 0 }
            ? address : null;

    /// <summary>The problem of a setting whose value is such an address; null when it is good or empty.</summary>
    public static string? Problem(string setting, string? value, string example) =>
        string.IsNullOrEmpty(value) || Parse(value) is not null
            ? null : $"{setting} must be an http or https address such as {example}{SettingText.Not(value)}";

    /// <summary>Whether a text is the name of a host or an IP address.</summary>
    public static bool IsHost(string text) => Uri.CheckHostName(text) switch
    {
        // A name without a letter is an address with a mistake.
        UriHostNameType.Dns => text.Any(char.IsLetter),
        UriHostNameType.IPv4 or UriHostNameType.IPv6 => true,
        _ => false,
    };
}
