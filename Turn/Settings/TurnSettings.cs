using System.ComponentModel.DataAnnotations;
using System.Net;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.ServiceDefaults.Certificates;
using WebRtcIms.ServiceDefaults.KeyDelivery;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Peers;

namespace WebRtcIms.Turn.Settings;

/// <summary>What an Allocate does when the shared caches do not answer within their budget.</summary>
internal enum CacheUnavailablePolicy
{
    /// <summary>Use the caches of this node. /health is Degraded.</summary>
    AllowLocal,

    /// <summary>Refuse with 508.</summary>
    Deny,
}

/// <summary>The peers that are denied before the allow and deny lists apply.</summary>
internal enum PeerPolicyMode
{
    /// <summary>Every special-purpose range is denied.</summary>
    Default,

    /// <summary>
    /// Loopback addresses are allowed, with all services that listen there: for tests with peers on this machine. The server's own ports,
    /// Redis and the collectors stay denied.
    /// </summary>
    AllowLoopback,

    /// <summary>
    /// The addresses of this machine are like others, for a media server beside this one. Clients reach all services that listen there,
    /// so keep others away from these addresses.
    /// </summary>
    AllowThisMachine,
}

/// <summary>The family of a relay without REQUESTED-ADDRESS-FAMILY.</summary>
internal enum DefaultRelayFamily
{
    /// <summary>As RFC 8656 §7.2 says.</summary>
    IPv4,

    /// <summary>
    /// That of the client's address, or the one that this server has. Browsers do not send the attribute, so a server with IPv6 alone needs
    /// this.
    /// </summary>
    Client,
}

/// <summary>What the time in a user name of the shared secret ends.</summary>
internal enum SharedSecretTime
{
    /// <summary>New allocations: the time is checked at the first use, as in coturn. An allocation may be refreshed after it.</summary>
    FirstUse,

    /// <summary>Also the allocations that were made before it.</summary>
    Allocation,
}

/// <summary>The back end for UDP.</summary>
internal enum TransportMode
{
    /// <summary>Epoll on 64-bit Linux, Portable elsewhere.</summary>
    Auto,

    /// <summary>Linux: workers with epoll, recvmmsg and sendmmsg.</summary>
    Epoll,

    /// <summary>Linux 6.1 or later: workers with io_uring, or with epoll where the kernel or its container refuses it.</summary>
    IoUring,

    /// <summary>The socket API of .NET.</summary>
    Portable,
}

/// <summary>The section <c>Turn</c> of the configuration.</summary>
internal sealed class TurnSettings
{
    private const string KeyDeliverySection = "Turn:KeyDelivery";
    private const string Limits = "{0} must be from {1} to {2}";

    /// <summary>THIRD-PARTY-AUTHORIZATION, and the audience that the authorization server makes tokens for.</summary>
    public string ServerName { get; set; } = "turn.webrtcims.local";

    public string Realm { get; set; } = "webrtcims.local";

    /// <summary>Read again while the server runs, as is the file: keys roll over without a restart.</summary>
    public List<TurnKeySettings> Keys { get; set; } = [];

    /// <summary>A JSON file with more keys, <c>[{ "Kid": "k2", "Key": "…" }]</c>: a mounted secret, for example.</summary>
    public string? KeysFile { get; set; }

    /// <summary>The WAF that delivers the keys. Without it the keys are those of the settings.</summary>
    public KeyDeliverySettings? KeyDelivery { get; set; }

    /// <summary>
    /// A secret in base64 that the nodes with one <see cref="ServerName"/> share, so that they accept each other's nonces. By default it is
    /// derived from the first of <see cref="Keys"/>, and without those it is random for each process.
    /// </summary>
    public string? FleetKey { get; set; }

    public KeyUse? KeyUse => KeyDelivery is null ? null : new(
        KeyDeliverySection, KeyDelivery, "turn", ServerName,
        "its Waf:TurnServers must have this Turn:ServerName with the SHA-256 of this certificate");

    /// <summary>Whether tokens are accepted, now or once the first key has been delivered.</summary>
    public bool AcceptsTokens => Keys.Count > 0 || KeyDelivery is not null;

    public List<StaticUserSettings> StaticUsers { get; set; } = [];

    /// <summary>
    /// The secret of ephemeral users (<c>{end in Unix seconds}:{anything}</c>, password base64 of HMAC-SHA-1); off by default. An existing
    /// deployment can move to tokens step by step.
    /// </summary>
    public string? SharedSecret { get; set; }

    /// <summary>What the time in an ephemeral user name ends.</summary>
    public SharedSecretTime SharedSecretTime { get; set; }

    public BrowserProfileSettings BrowserProfile { get; set; } = new();

    /// <summary>
    /// One address or several, separated by commas. 0.0.0.0 and :: stand for every IPv4 or IPv6 address that this machine has at any time.
    /// </summary>
    public string ListenAddress { get; set; } = "127.0.0.1";

    /// <summary>For UDP and TCP.</summary>
    [Range(1, 65535, ErrorMessage = Limits)]
    public int Port { get; set; } = 3478;

    /// <summary>For TLS over TCP and DTLS over UDP, once a certificate is given.</summary>
    [Range(1, 65535, ErrorMessage = Limits)]
    public int TlsPort { get; set; } = 5349;

    /// <summary>
    /// A file with the server's certificate, its chain, and perhaps its key: PEM, DER or PKCS #12. Without it the server has neither TLS
    /// nor DTLS.
    /// </summary>
    public string? TlsCertificate { get; set; }

    /// <summary>A file with the certificate's private key, if it is not in the same file.</summary>
    public string? TlsKey { get; set; }

    /// <summary>The password of an encrypted key, or of a PKCS #12 file.</summary>
    public Redacted<string>? TlsKeyPassword { get; set; }

    /// <summary>The addresses that relays are bound to; by default the address that the client used.</summary>
    public string? RelayAddress { get; set; }

    /// <summary>
    /// The relay address in responses instead of the bound one: the public side of a one-to-one NAT, as an address or a name that is looked
    /// up again and again. Several are separated by commas; <c>203.0.113.1/10.0.0.5</c> is only for relays bound to 10.0.0.5.
    /// </summary>
    public string? PublicAddress { get; set; }

    /// <summary>The family of a relay when a client asks for none, as browsers do.</summary>
    public DefaultRelayFamily DefaultRelayFamily { get; set; }

    public RelayPortSettings RelayPorts { get; set; } = new();

    public PeerPolicyMode PeerPolicy { get; set; }

    /// <summary>
    /// Ranges such as 10.1.0.0/16 that may be relayed to although they are special. They do not open the addresses of this machine, except
    /// 127.0.0.0/8 and ::1/128. Relays of this server need no entry.
    /// </summary>
    public List<string> AllowedPeers { get; set; } = [];

    public List<string> DeniedPeers { get; set; } = [];

    public TransportMode Transport { get; set; }

    /// <summary>Threads that relay UDP, each with allocations of its own (Epoll, IoUring); by default one for each processor.</summary>
    [Range(1, 256, ErrorMessage = Limits)]
    public int Workers { get; set; } = Environment.ProcessorCount;

    public QuotaSettings Quotas { get; set; } = new();

    public StreamSettings Streams { get; set; } = new();

    public bool Rfc5766Channels { get; set; }

    /// <summary>
    /// Accept ADDITIONAL-ADDRESS-FAMILY as 0x8032, its number in the drafts of RFC 8656, beside 0x8000: coturn's client 4.6 sends it.
    /// </summary>
    public bool DraftAddressFamily { get; set; }

    /// <summary>
    /// TCP allocations (RFC 6062): clients may connect to peers over TCP from the relay ports, and be connected to. Off by default,
    /// for services behind the server's network are reached far more easily over TCP.
    /// </summary>
    public bool TcpRelays { get; set; }

    /// <summary>
    /// Unauthenticated answers over UDP (401, 438, Binding) for each client address and second, with ten seconds' worth at once;
    /// 0 for no bound. A call needs a few.
    /// </summary>
    [Range(0, 1_000_000, ErrorMessage = Limits)]
    public int ChallengesPerSecond { get; set; } = 100;

    /// <summary>Whether a client may keep its allocation when its address changes (RFC 8016).</summary>
    public bool Mobility { get; set; }

    public CacheUnavailablePolicy OnCacheUnavailable { get; set; }

    public DrainSettings Drain { get; set; } = new();

    public ManagementSettings Management { get; set; } = new();

    /// <summary>Problems that concern several settings, and those of addresses and ranges, each with the name of its setting.</summary>
    public IEnumerable<string> Problems()
    {
        if (string.IsNullOrWhiteSpace(ServerName) || ServerName.Length > 255) yield return "Turn:ServerName must have 1 to 255 characters";
        if (string.IsNullOrWhiteSpace(Realm) || Realm.Length > 127) yield return "Turn:Realm must have 1 to 127 characters";
        if (Transport is TransportMode.Epoll or TransportMode.IoUring && !IsLinux)
            yield return $"Turn:Transport: {Transport} needs 64-bit Linux; use Auto or Portable";
        if (RelayPorts.Min < 1024 || RelayPorts.Max > 65535 || RelayPorts.Min > RelayPorts.Max)
            yield return "Turn:RelayPorts:Min and Turn:RelayPorts:Max must be a range within 1024 to 65535";
        if (!AcceptsTokens && StaticUsers.Count == 0 && SharedSecret is null)
        {
            yield return "Turn:Keys is empty: give at least one key as Turn:Keys:0:Kid and Turn:Keys:0:Key " +
                "(or Turn:KeyDelivery, Turn:StaticUsers or Turn:SharedSecret)";
        }

        if (FleetKey is not null && !(Convert.TryFromBase64String(FleetKey, new byte[FleetKey.Length], out var length) && length >= 32))
            yield return "Turn:FleetKey must have 32 octets or more in base64";
        if (SharedSecret is { Length: < 16 }) yield return "Turn:SharedSecret must have 16 characters or more";
        for (var i = 0; i < StaticUsers.Count; i++)
        {
            if (StaticUsers[i].Name.Length == 0) yield return $"Turn:StaticUsers:{i}:Name is missing";
            if (StaticUsers[i].Password.Length == 0) yield return $"Turn:StaticUsers:{i}:Password is missing";
        }

        foreach (var problem in AddressProblems()) yield return problem;
        foreach (var (name, ranges) in new[] { ("AllowedPeers", AllowedPeers), ("DeniedPeers", DeniedPeers) })
        {
            foreach (var text in ranges.Where(text => !AddressRange.TryParse(text, out _)))
                yield return $"Turn:{name}: '{text}' is not a range such as 10.1.0.0/16";
        }

        foreach (var problem in Drain.Problems()) yield return problem;
        foreach (var problem in KeyDelivery?.Problems(KeyDeliverySection) ?? []) yield return problem;
        if (TlsProblem() is { } tls) yield return tls;
    }

    /// <summary>The settings of the certificate; null without TLS.</summary>
    public CertificateFiles? TlsFiles => TlsCertificate is null ? null : new(
        "Turn:TlsCertificate", TlsCertificate, "Turn:TlsKey", TlsKey, "Turn:TlsKeyPassword", TlsKeyPassword?.Reveal());

    private string? TlsProblem()
    {
        if (TlsCertificate is null && TlsKey is null) return null;
        if (TlsPort == Port) return "Turn:TlsPort must differ from Turn:Port";
        if (string.IsNullOrWhiteSpace(TlsCertificate)) return "Turn:TlsKey needs Turn:TlsCertificate, the file of its certificate";
        return LoadedCertificate.Load(TlsFiles!, out var problem) is null ? problem : null;
    }

    public bool UsesWorkers => Transport is TransportMode.Epoll or TransportMode.IoUring || (Transport == TransportMode.Auto && IsLinux);

    private static bool IsLinux => OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    /// <summary>A list of addresses that has been checked.</summary>
    public static IReadOnlyList<IPAddress> Addresses(string? list) => [.. Split(list).Select(Parse).Distinct()];

    /// <summary>The entries of <see cref="PublicAddress"/>.</summary>
    public IReadOnlyList<PublicAddressSetting> PublicAddresses() => [.. Split(PublicAddress).Select(PublicAddressSetting.Parse)];

    private IEnumerable<string> AddressProblems()
    {
        if (Split(ListenAddress).Length == 0) yield return "Turn:ListenAddress is empty: give an address, or 0.0.0.0 for all";
        foreach (var (name, list) in new[] { ("ListenAddress", ListenAddress), ("RelayAddress", RelayAddress) })
        {
            foreach (var text in Split(list))
            {
                if (!IPAddress.TryParse(text, out _)) yield return $"Turn:{name}: '{text}' is not an IP address";
                else if (IsMulticast(Parse(text))) yield return $"Turn:{name}: '{text}' is not the address of one machine";
                else if (name == "RelayAddress" && !IsReachable(Parse(text)))
                {
                    yield return $"Turn:{name}: peers cannot reach '{text}'; give an address of this machine, " +
                        "or leave it out, and relays have the address that the client used";
                }
            }
        }

        foreach (var text in Split(PublicAddress))
        {
            if (PublicAddressSetting.ProblemOf(text) is { } problem) yield return $"Turn:PublicAddress: {problem}";
        }
    }

    /// <summary>Whether peers can send to an address: neither a wildcard nor one that needs an interface beside it.</summary>
    internal static bool IsReachable(IPAddress address) =>
        !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any) && !address.IsIPv6LinkLocal && !IsMulticast(address);

    private static bool IsMulticast(IPAddress address) => Engine.Peers.PeerPolicy.IsMulticast(InternetAddress.From(address));

    private static IPAddress Parse(string text)
    {
        var address = IPAddress.Parse(text);
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }

    private static string[] Split(string? text) =>
        (text ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>A long-term user without a token (RFC 8489 §9.2).</summary>
internal sealed class StaticUserSettings
{
    public string Name { get; set; } = "";

    public string Password { get; set; } = "";
}

/// <summary>Whether tokens may travel in USERNAME, which is how browsers can send one.</summary>
internal sealed class BrowserProfileSettings
{
    public bool Enabled { get; set; } = true;
}

/// <summary>Ports for relays; RFC 8656 §7.2 recommends 49152 to 65535.</summary>
internal sealed class RelayPortSettings
{
    public int Min { get; set; } = 49152;

    public int Max { get; set; } = 65535;
}
