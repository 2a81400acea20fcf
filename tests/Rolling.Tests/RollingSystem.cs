using System.Globalization;
using System.Security.Cryptography;

namespace WebRtcIms.Rolling.Tests;

/// <summary>
/// Two replicas of each part as processes of their own. Those that speak HTTP are behind HAProxy, and each TURN node has an address of
/// its own, as docs/operations.md describes.
/// </summary>
internal sealed class RollingSystem : IAsyncDisposable
{
    /// <summary>How long a TURN node that stops lets its calls go on.</summary>
    public static readonly TimeSpan DrainDeadline = TimeSpan.FromSeconds(3);

    /// <summary>The order of docs/deployment.md.</summary>
    public static readonly IReadOnlyList<string> WebParts = ["waf", "wwsf", "ep-cscf", "wic-web"];

    private const string Domain = "webrtcims.local";
    private const string Waf = $"waf.{Domain}";
    private const string TurnName = $"turn.{Domain}";

    // All clients of the test have one address.
    private const string Many = "100000";
    private const string Guests = "4000";

    private static readonly string[] Numbers = ["1", "2"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webrtcims-rolling-");
    private readonly Dictionary<string, PartProcess> _processes = [];
    private readonly Dictionary<string, int> _ports = [];
    private readonly Dictionary<string, string> _secrets = [];
    private RedisServer? _redis;
    private Balancer? _balancer;

    /// <summary>Where users have the page.</summary>
    public Uri Page => At("wic-web");

    public static async Task<RollingSystem> StartAsync()
    {
        var system = new RollingSystem();
        try
        {
            await system.StartAllAsync();
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    /// <summary>Where clients reach the TURN node with this number.</summary>
    public int TurnPortOf(int node) => _ports[string.Create(CultureInfo.InvariantCulture, $"turn-{node}/udp")];

    /// <summary>Asks a replica to stop, and does not wait for its end.</summary>
    public Task SignalAsync(string replica) => _processes[replica].SignalAsync("TERM");

    public async Task UntilEndedAsync(string replica)
    {
        var exitCode = await _processes[replica].WaitForExitAsync();
        Assert.True(exitCode == 0, $"{replica} ended with {exitCode}: {_processes[replica].Output}");
    }

    /// <summary>Waits until a replica that was asked to stop has ended, starts it, and returns when it serves again.</summary>
    public async Task RestartAsync(string replica)
    {
        await UntilEndedAsync(replica);
        await _processes[replica].DisposeAsync();
        await StartAsync(replica);
        if (!replica.StartsWith("turn", StringComparison.Ordinal)) await _balancer!.UntilUsedAsync(replica);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in _processes.Values) await part.DisposeAsync();
        if (_balancer is not null) await _balancer.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task StartAllAsync()
    {
        foreach (var part in WebParts.Append("turn"))
        {
            _ports[part] = FreePorts.Tcp();
            foreach (var number in Numbers) _ports[$"{part}-{number}"] = FreePorts.Tcp();
        }

        foreach (var number in Numbers) _ports[$"turn-{number}/udp"] = FreePorts.TcpAndUdp();
        _redis = await RedisServer.StartAsync();
        _balancer = await Balancer.StartAsync(_ports);
        // The first replica of a part makes the tables of its store.
        foreach (var number in Numbers)
            await Task.WhenAll(WebParts.Append("turn").Select(part => StartAsync($"{part}-{number}")));
        foreach (var number in Numbers)
        {
            foreach (var part in WebParts) await _balancer.UntilUsedAsync($"{part}-{number}");
        }
    }

    private async Task StartAsync(string replica)
    {
        var part = PartProcess.Start(replica[..^2], SettingsOf(replica));
        lock (_processes) _processes[replica] = part;
        await part.UntilAnswersAsync(new Uri(At(replica), replica.StartsWith("turn", StringComparison.Ordinal) ? "ready" : "health"));
    }

    private Uri At(string name) => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_ports[name]}/"));

    private Dictionary<string, string> SettingsOf(string replica)
    {
        Dictionary<string, string> settings = replica[..^2] switch
        {
            "waf" => OfWaf(),
            "wwsf" => OfWwsf(),
            "ep-cscf" => OfEpCscf(),
            "wic-web" => OfGateway(),
            _ => OfTurn(replica),
        };
        // Outside Development an address of guests is bounded.
        settings["ASPNETCORE_ENVIRONMENT"] = "Development";
        settings["ASPNETCORE_URLS"] = At(replica).GetLeftPart(UriPartial.Authority);
        settings["HOME"] = _folder.FullName;
        if (replica[..^2] != "wic-web") settings["ConnectionStrings__redis"] = _redis!.Address;
        return settings;
    }

    private Dictionary<string, string> OfWaf() => new()
    {
        ["ConnectionStrings__waf"] = $"Data Source={_folder.FullName}/waf.db",
        ["Waf__KeyDirectory"] = Path.Combine(_folder.FullName, "waf-keys"),
        ["Waf__Issuer"] = At("waf").ToString(),
        ["Waf__TokenRequestsPerMinute"] = Many,
        ["Waf__TurnServers__0__Name"] = TurnName,
        ["Waf__TurnServers__0__Kid"] = "k1",
        ["Waf__TurnServers__0__Key"] = Secret("turn"),
        ["Waf__Clients__0__ClientId"] = "wwsf",
        ["Waf__Clients__0__ClientSecret"] = Secret("wwsf"),
        ["Waf__Clients__0__Audiences__0"] = TurnName,
        ["Waf__Clients__0__Impus__0"] = $"sip:guest-*@{Domain}",
        ["Waf__ImsRegistration__Domain"] = Domain,
        ["Waf__ImsRegistration__Identity"] = Waf,
        ["Waf__ImsRegistration__Kid"] = "r1",
        ["Waf__ImsRegistration__Key"] = Secret("registration"),
    };

    private Dictionary<string, string> OfWwsf() => new()
    {
        ["ConnectionStrings__wwsf"] = $"Data Source={_folder.FullName}/wwsf.db",
        ["Wwsf__KeyDirectory"] = Path.Combine(_folder.FullName, "wwsf-keys"),
        ["services__waf__http__0"] = At("waf").ToString(),
        ["services__ep-cscf__http__0"] = At("ep-cscf").ToString(),
        ["Wwsf__PublicOrigin__0"] = Page.GetLeftPart(UriPartial.Authority),
        ["Wwsf__TurnServerName"] = TurnName,
        ["Wwsf__TurnUris__0"] = TurnUri(1),
        ["Wwsf__TurnUris__1"] = TurnUri(2),
        ["Wwsf__Waf__ClientSecret"] = Secret("wwsf"),
        ["Wwsf__EpCscf__SessionsKey"] = Secret("sessions"),
        ["Wwsf__Pool__Size"] = Guests,
        ["Wwsf__Pool__PerAddress"] = Guests,
        ["Wwsf__Pool__Unregistered"] = Guests,
        ["Wwsf__Limits__AnonymousSessionsPerMinute"] = Many,
        ["Wwsf__Limits__TokensPerMinuteOfAddress"] = Many,
        ["Wwsf__Limits__GuestTokensPerMinute"] = Many,
    };

    private Dictionary<string, string> OfGateway() => new()
    {
        ["services__wwsf__http__0"] = At("wwsf").ToString(),
        ["services__ep-cscf__http__0"] = At("ep-cscf").ToString(),
        ["WicWeb__KnownProxies__0"] = "127.0.0.1",
    };

    private Dictionary<string, string> OfEpCscf() => new()
    {
        ["EpCscf__TokenKeys__0__Kid"] = "r1",
        ["EpCscf__TokenKeys__0__Key"] = Secret("registration"),
        ["EpCscf__FlowTokenKey"] = Secret("flow"),
        ["EpCscf__SessionsKeys__0"] = Secret("sessions"),
        ["EpCscf__Pools__0__Name"] = "guest",
        ["EpCscf__Pools__0__Size"] = Guests,
        ["EpCscf__Pools__0__DisplayName"] = "Guest",
        ["EpCscf__Pools__0__AllowedWafs__0"] = Waf,
        ["EpCscf__Pools__0__AllowedWwsfs__0"] = "wwsf",
    };

    private Dictionary<string, string> OfTurn(string replica) => new()
    {
        ["Turn__Port"] = _ports[$"{replica}/udp"].ToString(CultureInfo.InvariantCulture),
        ["Turn__ServerName"] = TurnName,
        ["Turn__FleetKey"] = Secret("fleet"),
        ["Turn__Keys__0__Kid"] = "k1",
        ["Turn__Keys__0__Key"] = Secret("turn"),
        ["Turn__Quotas__AllocatesPerMinuteOfClientAddress"] = Many,
        ["Turn__Quotas__PerClientAddress"] = "1000",
        ["Turn__Drain__Deadline"] = DrainDeadline.ToString(),
    };

    private string TurnUri(int node) =>
        string.Create(CultureInfo.InvariantCulture, $"turn:127.0.0.1:{TurnPortOf(node)}?transport=udp");

    private string Secret(string name)
    {
        lock (_secrets)
        {
            if (!_secrets.TryGetValue(name, out var secret))
                _secrets[name] = secret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
            return secret;
        }
    }
}
