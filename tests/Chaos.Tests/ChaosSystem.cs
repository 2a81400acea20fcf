using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using WebRtcIms.Chaos.Tests.Tokens;

namespace WebRtcIms.Chaos.Tests;

/// <summary>
/// All parts as processes of their own: gateway, WWSF, WAF, two eP-CSCF replicas and two TURN nodes. Redis is behind a proxy that can spoil
/// its answers. The WWSF has its store in PostgreSQL, and the WAF in a SQLite file on a small disk. One system serves all faults, and each
/// fault leaves it healed.
/// </summary>
public sealed class ChaosSystem : IAsyncLifetime
{
    private const string Domain = "webrtcims.local";
    private const string Waf = $"waf.{Domain}";
    private const string Many = "100000";
    private const string Guests = "4000";
    private static readonly string[] TurnNodes = ["turn", "turn-2"];
    private static readonly string[] EpCscfReplicas = ["ep-cscf", "ep-cscf-2"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webrtcims-chaos-");
    private readonly SmallDisk _disk;
    private readonly Clocks _clocks;
    private readonly Dictionary<string, PartProcess> _parts = [];
    private readonly Dictionary<string, int> _ports = [];
    private readonly string _clientSecret = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
    private readonly string _flowTokenKey = Key();
    private readonly string _fleetKey = Key();

    public ChaosSystem()
    {
        _disk = new SmallDisk(_folder.CreateSubdirectory("disk").FullName);
        _clocks = new Clocks(_folder.CreateSubdirectory("clocks"));
    }

    /// <summary>The disk of the WAF.</summary>
    internal SmallDisk Disk => _disk;

    /// <summary>The clocks of the parts.</summary>
    internal Clocks Clocks => _clocks;

    /// <summary>K of RFC 7635, as all TURN nodes have it.</summary>
    internal string TurnKey { get; } = Key();

    internal string RegistrationKey { get; } = Key();

    internal string SessionsKey { get; } = Key();

    internal RedisServer Redis { get; set; } = null!;

    internal FaultProxy RedisProxy { get; private set; } = null!;

    internal PostgresServer Postgres { get; set; } = null!;

    internal Uri Gateway => AddressOf("wic-web");

    internal IReadOnlyList<Uri> EpCscfs => [.. EpCscfReplicas.Select(AddressOf)];

    internal IReadOnlyList<IPEndPoint> TurnServers => [.. TurnNodes.Select(node => new IPEndPoint(IPAddress.Loopback, UdpPortOf(node)))];

    internal IReadOnlyList<Uri> TurnManagement => [.. TurnNodes.Select(AddressOf)];

    internal PartProcess Part(string name) => _parts[name];

    /// <summary>No part may end by itself.</summary>
    internal void AssertRunning() => Assert.All(_parts.Values, part =>
        Assert.False(part.HasExited, $"{part.Part} has ended:\n{string.Join('\n', part.Output.Split('\n').TakeLast(60))}"));

    public async ValueTask InitializeAsync()
    {
        await _clocks.PrepareAsync();
        Redis = await RedisServer.StartAsync();
        RedisProxy = new FaultProxy(Redis.Address);
        Postgres = await PostgresServer.StartAsync();
        foreach (var name in (string[])["waf", "wwsf", "wic-web", .. EpCscfReplicas, .. TurnNodes]) _ports[name] = FreePorts.Tcp();
        foreach (var node in TurnNodes) _ports[$"{node}/udp"] = FreePorts.TcpAndUdp();
        await Task.WhenAll(StartAsync("waf"), StartAsync("turn"), StartAsync("turn-2"), StartAsync("ep-cscf"), StartAsync("ep-cscf-2"));
        await Task.WhenAll(StartAsync("wwsf"), StartAsync("wic-web"));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in _parts.Values) await part.DisposeAsync();
        if (RedisProxy is not null) await RedisProxy.DisposeAsync();
        if (Redis is not null) await Redis.DisposeAsync();
        if (Postgres is not null) await Postgres.DisposeAsync();
        _disk.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>Ends the process of a part at once, as a crash would.</summary>
    internal async Task KillAsync(string name) => await _parts[name].EndAsync("KILL");

    /// <summary>Starts a part, and returns when it is up. A part that ran before keeps its ports and settings.</summary>
    /// <param name="name">Such as <c>turn-2</c>.</param>
    /// <param name="behind">A program that starts it, such as <c>prlimit --nofile=600</c>.</param>
    internal async Task StartAsync(string name, params string[] behind)
    {
        if (_parts.TryGetValue(name, out var former)) await former.DisposeAsync();
        var part = PartProcess.Start(name.EndsWith("-2", StringComparison.Ordinal) ? name[..^2] : name, SettingsOf(name), behind);
        lock (_parts) _parts[name] = part;
        await part.UntilAnswersAsync(new Uri(AddressOf(name), "alive"));
    }

    private Uri AddressOf(string name) => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_ports[name]}/"));

    private int UdpPortOf(string node) => _ports[$"{node}/udp"];

    private Dictionary<string, string> SettingsOf(string name)
    {
        var settings = name switch
        {
            "waf" => WafSettings(),
            "wwsf" => WwsfSettings(),
            "wic-web" => GatewaySettings(),
            "turn" or "turn-2" => TurnSettings(UdpPortOf(name)),
            _ => EpCscfSettings(),
        };
        // Alice and Bob exist in Development, and an address may have as many guests as it likes.
        settings["ASPNETCORE_ENVIRONMENT"] = "Development";
        settings["ASPNETCORE_URLS"] = AddressOf(name).GetLeftPart(UriPartial.Authority);
        settings["HOME"] = _folder.FullName;
        foreach (var (variable, value) in _clocks.SettingsOf(name)) settings[variable] = value;
        if (name != "wic-web") settings["ConnectionStrings__redis"] = RedisProxy.Address;
        return settings;
    }

    private Dictionary<string, string> WafSettings() => new()
    {
        ["ConnectionStrings__waf"] = $"Data Source={_disk.Path}/waf.db",
        ["Waf__KeyDirectory"] = Path.Combine(_folder.FullName, "waf-keys"),
        ["Waf__Issuer"] = AddressOf("waf").ToString(),
        ["Waf__TokenRequestsPerMinute"] = Many,
        ["Waf__TurnServers__0__Name"] = TurnForgeries.ServerName,
        ["Waf__TurnServers__0__Kid"] = TurnForgeries.Kid,
        ["Waf__TurnServers__0__Key"] = TurnKey,
        ["Waf__Clients__0__ClientId"] = "wwsf",
        ["Waf__Clients__0__ClientSecret"] = _clientSecret,
        ["Waf__Clients__0__Audiences__0"] = TurnForgeries.ServerName,
        ["Waf__Clients__0__Impus__0"] = $"sip:guest-*@{Domain}",
        ["Waf__Clients__0__Impus__1"] = $"sip:alice@{Domain}",
        ["Waf__Clients__0__Impus__2"] = $"sip:bob@{Domain}",
        ["Waf__ImsRegistration__Domain"] = Domain,
        ["Waf__ImsRegistration__Identity"] = Waf,
        ["Waf__ImsRegistration__Kid"] = RegistrationForgeries.Kid,
        ["Waf__ImsRegistration__Key"] = RegistrationKey,
    };

    private Dictionary<string, string> WwsfSettings() => new()
    {
        ["ConnectionStrings__wwsf"] = Postgres.ConnectionString("wwsf"),
        ["Wwsf__KeyDirectory"] = Path.Combine(_folder.FullName, "wwsf-keys"),
        ["services__waf__http__0"] = AddressOf("waf").ToString(),
        ["services__ep-cscf__http__0"] = EpCscfs[0].ToString(),
        ["services__ep-cscf__http__1"] = EpCscfs[1].ToString(),
        ["Wwsf__PublicOrigin__0"] = Gateway.GetLeftPart(UriPartial.Authority),
        ["Wwsf__TurnServerName"] = TurnForgeries.ServerName,
        ["Wwsf__TurnUris__0"] = $"turn:{TurnServers[0]}?transport=udp",
        ["Wwsf__TurnUris__1"] = $"turn:{TurnServers[1]}?transport=udp",
        ["Wwsf__Waf__ClientSecret"] = _clientSecret,
        ["Wwsf__EpCscf__SessionsKey"] = SessionsKey,
        ["Wwsf__Pool__Size"] = Guests,
        ["Wwsf__Pool__PerAddress"] = Guests,
        ["Wwsf__Limits__LoginsPerMinute"] = Many,
        ["Wwsf__Limits__AnonymousSessionsPerMinute"] = Many,
        ["Wwsf__Limits__TurnTokensPerMinute"] = Many,
        ["Wwsf__Limits__ImsTokensPerMinute"] = Many,
        ["Wwsf__Limits__TokensPerMinuteOfAddress"] = Many,
        ["Wwsf__Limits__GuestTokensPerMinute"] = Many,
    };

    private Dictionary<string, string> GatewaySettings() => new()
    {
        ["services__wwsf__http__0"] = AddressOf("wwsf").ToString(),
        ["services__ep-cscf__http__0"] = EpCscfs[0].ToString(),
        ["services__ep-cscf__http__1"] = EpCscfs[1].ToString(),
    };

    private Dictionary<string, string> EpCscfSettings() => new()
    {
        ["EpCscf__TokenKeys__0__Kid"] = RegistrationForgeries.Kid,
        ["EpCscf__TokenKeys__0__Key"] = RegistrationKey,
        ["EpCscf__FlowTokenKey"] = _flowTokenKey,
        ["EpCscf__SessionsKeys__0"] = SessionsKey,
        ["EpCscf__Pools__0__Name"] = "guest",
        ["EpCscf__Pools__0__Size"] = "5000",
        ["EpCscf__Pools__0__DisplayName"] = "Guest",
        ["EpCscf__Pools__0__AllowedWafs__0"] = Waf,
        ["EpCscf__Pools__0__AllowedWwsfs__0"] = "wwsf",
    };

    private Dictionary<string, string> TurnSettings(int port) => new()
    {
        ["Turn__Port"] = port.ToString(CultureInfo.InvariantCulture),
        ["Turn__ServerName"] = TurnForgeries.ServerName,
        ["Turn__FleetKey"] = _fleetKey,
        ["Turn__Keys__0__Kid"] = TurnForgeries.Kid,
        ["Turn__Keys__0__Key"] = TurnKey,
        ["Turn__Quotas__AllocatesPerMinuteOfClientAddress"] = Many,
    };

    private static string Key() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
}
