using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace WebRtcIms.Turn.Client.Protocol;

/// <summary>The transport protocol between a client and its server.</summary>
public enum TurnTransport
{
    Udp,
    Tcp,
}

/// <summary>
/// Where a TURN server is: <c>turn:host[:port][?transport=udp|tcp]</c>, or <c>turns:</c> for TLS (RFC 7065 §3.1).
/// Two URIs that mean the same server are equal.
/// </summary>
public sealed record TurnUri
{
    private const int DefaultPort = 3478;
    private const int DefaultSecurePort = 5349;
    private const string TransportQuery = "?transport=";

    // reg-name of RFC 3986 §3.2.2.
    private static readonly SearchValues<char> HostCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=%");

    private TurnUri(string host, int port, TurnTransport transport, bool isSecure)
    {
        Host = host;
        Port = port;
        Transport = transport;
        IsSecure = isSecure;
    }

    /// <summary>A name or an address, in lower case; an IPv6 address without brackets.</summary>
    public string Host { get; }

    /// <summary>3478, or 5349 for <c>turns</c>, unless the URI says otherwise (RFC 7065 §3.2).</summary>
    public int Port { get; }

    /// <summary>Without <c>?transport=</c>: UDP for <c>turn</c>, TCP for <c>turns</c>.</summary>
    public TurnTransport Transport { get; }

    /// <summary>Whether the scheme is <c>turns</c>: TLS over TCP, DTLS over UDP.</summary>
    public bool IsSecure { get; }

    private int PortWhenAbsent => IsSecure ? DefaultSecurePort : DefaultPort;

    private TurnTransport TransportWhenAbsent => IsSecure ? TurnTransport.Tcp : TurnTransport.Udp;

    /// <summary>Reads a URI, or throws.</summary>
    /// <exception cref="FormatException">The text is not a TURN URI, or names a transport other than udp and tcp.</exception>
    public static TurnUri Parse(string text) =>
        TryParse(text, out var uri) ? uri : throw new FormatException($"'{text}' is not of the form turn:host[:port][?transport=udp|tcp]");

    /// <summary>Reads a URI. It has no user, path or fragment, and nothing is percent-decoded (RFC 7065 §3.1).</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out TurnUri? uri)
    {
        uri = null;
        if (text is null || !TryReadScheme(ref text, out var isSecure)) return false;
        if (!TryReadTransport(ref text, out var transport)) return false;
        if (!TryReadPort(ref text, out var port)) return false;
        if (!TryReadHost(text, out var host)) return false;
        uri = new TurnUri(
            host,
            port ?? (isSecure ? DefaultSecurePort : DefaultPort),
            transport ?? (isSecure ? TurnTransport.Tcp : TurnTransport.Udp),
            isSecure);
        return true;
    }

    /// <summary>The shortest form.</summary>
    public override string ToString()
    {
        var scheme = IsSecure ? "turns" : "turn";
        var host = Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host;
        var port = Port == PortWhenAbsent ? "" : string.Create(CultureInfo.InvariantCulture, $":{Port}");
        var query = Transport == TransportWhenAbsent ? "" : TransportQuery + (Transport == TurnTransport.Udp ? "udp" : "tcp");
        return $"{scheme}:{host}{port}{query}";
    }

    private static bool TryReadScheme(ref string rest, out bool isSecure)
    {
        var colon = rest.IndexOf(':', StringComparison.Ordinal);
        var scheme = colon < 0 ? "" : rest[..colon];
        isSecure = scheme.Equals("turns", StringComparison.OrdinalIgnoreCase);
        if (!isSecure && !scheme.Equals("turn", StringComparison.OrdinalIgnoreCase)) return false;
        rest = rest[(colon + 1)..];
        return true;
    }

    private static bool TryReadTransport(ref string rest, out TurnTransport? transport)
    {
        transport = null;
        var query = rest.IndexOf('?', StringComparison.Ordinal);
        if (query < 0) return true;
        var text = rest[query..];
        rest = rest[..query];
        if (text.Equals(TransportQuery + "udp", StringComparison.OrdinalIgnoreCase)) transport = TurnTransport.Udp;
        if (text.Equals(TransportQuery + "tcp", StringComparison.OrdinalIgnoreCase)) transport = TurnTransport.Tcp;
        return transport is not null;
    }

    private static bool TryReadPort(ref string rest, out int? port)
    {
        port = null;
        var colon = rest.LastIndexOf(':');
        if (colon < 0 || colon < rest.LastIndexOf(']')) return true;
        var digits = rest[(colon + 1)..];
        rest = rest[..colon];

        // The grammar of RFC 3986 §3.2.3 allows a colon without digits.
        if (digits.Length == 0) return true;
        if (!ushort.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number == 0) return false;
        port = number;
        return true;
    }

    private static bool TryReadHost(string text, out string host)
    {
        if (text is ['[', .. var inner, ']'])
        {
            host = inner.ToLowerInvariant();
            return IPAddress.TryParse(inner, out var address)
                && address.AddressFamily == AddressFamily.InterNetworkV6
                && !inner.Contains('%', StringComparison.Ordinal);
        }

        host = text.ToLowerInvariant();
        return host.Length > 0 && !host.AsSpan().ContainsAnyExcept(HostCharacters);
    }
}
