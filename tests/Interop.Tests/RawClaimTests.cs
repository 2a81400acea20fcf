using System.Security.Cryptography;
using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>
/// Checks docs/conformance.md claim by claim, with a raw client in Python that shares no code with the server. Its folder is <c>Raw</c>. It
/// prints one line for each claim.
/// </summary>
public sealed class RawClaimTests : IAsyncLifetime
{
    private const string Secret = "a secret of the raw client";
    private const string ServerName = "turn.raw.example";

    private static readonly string[] BackEnds = ["Epoll", "IoUring", "Portable"];

    private static readonly Dictionary<string, byte[]> Keys = new()
    {
        ["k1"] = RandomNumberGenerator.GetBytes(32),
        ["k2"] = RandomNumberGenerator.GetBytes(16),
    };

    // A decomposed letter and a space that is not the ordinary one: what a user may type, before OpaqueString.
    private static readonly Dictionary<string, string> Users = new()
    {
        ["alice"] = "secret",
        ["bob"] = "secret",
        ["ti~lde"] = "secret",
        ["u\u0308ser\u00A0i"] = "p\u00E4\u3000ss",
    };

    private readonly TestCertificate _certificate = new();
    private readonly Dictionary<string, TurnServerProcess> _servers = [];

    public async ValueTask InitializeAsync()
    {
        (string Name, string Value)[] many =
        [
            ("Turn__Quotas__PerClientAddress", "100000"), ("Turn__Quotas__PerUser", "100000"), ("Turn__Quotas__PerToken", "1000"),
            ("Turn__Quotas__AddressesPerToken", "1000"), ("Turn__Quotas__AllocatesPerMinuteOfClientAddress", "100000"),
        ];
        var full = Full();
        List<(string Name, (string, string)[] Settings)> servers =
        [
            .. BackEnds.Select(name => (name, ((string, string)[])[.. full, .. many, ("Turn__Transport", name), ("Turn__Workers", "2")])),
            ("password",
            [
                .. many, ("Turn__Realm", "re\u0301alm\u00A0of passwords"), ("Turn__BrowserProfile__Enabled", "false"),
                ("Turn__StaticUsers__0__Name", "dave"), ("Turn__StaticUsers__0__Password", "secret"),
            ]),
            ("quota",
            [
                .. full, ("Turn__PeerPolicy", "Default"), ("Turn__DeniedPeers__0", "198.51.101.0/24"), ("Turn__Quotas__PerUser", "3"),
                ("Turn__Quotas__PerToken", "2"), ("Turn__Quotas__AddressesPerToken", "2"), ("Turn__Quotas__PeersPerAllocation", "4"),
                ("Turn__SharedSecretTime", "Allocation"), ("Turn__Drain__AlternateServer", "192.0.2.7:3478"),
            ]),
        ];
        var started = await Task.WhenAll(servers.Select(server => TurnServerProcess.StartAsync(server.Settings)));
        for (var i = 0; i < started.Length; i++) _servers.Add(servers[i].Name, started[i]);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers.Values) await server.DisposeAsync();
        _certificate.Dispose();
    }

    [Fact]
    [Requirement("CLIENT-2")]
    [Requirement("CLIENT-3")]
    [Requirement("CLIENT-4")]
    [Requirement("CLIENT-7")]
    [Requirement("CLIENT-8")]
    [Requirement("CLIENT-9")]
    public async Task EveryClaim_HoldsForARawClient()
    {
        var result = await Command.RunAsync(
            Tools.Require("/usr/bin/python3", "python3-cryptography"), [Repository.PathOf("tests", "Interop.Tests", "Raw", "run.py")],
            null, ("RAW_LAB", Lab()));
        var lines = result.Output.Split('\n');
        TestContext.Current.SendDiagnosticMessage(result.Output);

        Assert.Equal(0, result.ExitCode);
        Assert.Equal([], lines.Where(line => line.StartsWith("  ", StringComparison.Ordinal)));
        Assert.Contains(lines, line => line.EndsWith(" checks are right, 0 are wrong", StringComparison.Ordinal));
        Assert.Equal([], Claims().Except(lines.Select(line => line.Split(':')[0])));
        Assert.All(_servers.Values, server => Assert.False(server.HasExited));
    }

    private static IEnumerable<string> Claims() => File.ReadLines(Repository.PathOf("tests", "Conformance", "requirements.csv"))
        .Select(line => line.Split(';')[0])
        .Where(id => id.StartsWith("TURN-", StringComparison.Ordinal));

    private (string, string)[] Full() =>
    [
        .. _certificate.Settings,
        .. Users.SelectMany((user, i) => new[]
        {
            ($"Turn__StaticUsers__{i}__Name", user.Key), ($"Turn__StaticUsers__{i}__Password", user.Value),
        }),
        ("Turn__Realm", "raw.example"), ("Turn__ServerName", ServerName), ("Turn__SharedSecret", Secret),
        ("Turn__Keys__0__Kid", "k1"), ("Turn__Keys__0__Key", Convert.ToBase64String(Keys["k1"])),
        ("Turn__Keys__1__Kid", "k2"), ("Turn__Keys__1__Key", Convert.ToBase64String(Keys["k2"])), ("Turn__Keys__1__Algorithm", "A128GCM"),
        ("Turn__ListenAddress", "127.0.0.1,127.0.0.2,::1"), ("Turn__Mobility", "true"), ("Turn__TcpRelays", "true"),
        ("Turn__AllowedPeers__0", "203.0.113.0/24"), ("Turn__AllowedPeers__1", "2001:db8::/32"),
    ];

    private string Lab() => JsonSerializer.Serialize(new Dictionary<string, object>
    {
        ["server_name"] = ServerName,
        ["secret"] = Secret,
        ["keys"] = Keys.ToDictionary(key => key.Key, key => Convert.ToBase64String(key.Value)),
        ["users"] = Users,
        ["main"] = Ports("Epoll"),
        ["back_ends"] = BackEnds.ToDictionary(name => name, Ports),
        ["password"] = Ports("password"),
        ["quota"] = Ports("quota"),
    });

    private Dictionary<string, int> Ports(string name)
    {
        var server = _servers[name];
        return new() { ["port"] = server.Port, ["tls"] = server.TlsPort, ["management"] = server.ManagementPort };
    }
}
