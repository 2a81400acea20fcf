using System.Security.Cryptography;

namespace WebRtcIms.Abuse.Frame;

/// <summary>
/// Redis, WAF, WWSF, eP-CSCF and TURN server of our own, without a gateway: this program is the gateway, so it may say where a client is.
/// </summary>
internal sealed class OwnSystem : IAsyncDisposable
{
    public const string Domain = "webrtcims.local";
    private const string ServerName = "turn.webrtcims.local";

    private readonly List<Part> _parts = [];
    private readonly string _turnKey = RandomKey();
    private readonly string _registrationKey = RandomKey();
    private readonly string _clientSecret = RandomKey();
    private readonly string _sessionsKey = RandomKey();
    private string _redis = "";

    private OwnSystem()
    {
    }

    public Part Waf { get; private set; } = null!;

    public Part Wwsf { get; private set; } = null!;

    public Part EpCscf { get; private set; } = null!;

    /// <summary>The folder of the stores.</summary>
    public required string Folder { get; init; }

    public int TurnPort { get; } = Ports.Free();

    public static async Task<OwnSystem> StartAsync(string folder)
    {
        var system = new OwnSystem { Folder = folder };
        try
        {
            var password = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
            var redis = system.Keep(await Part.StartRedisAsync(password));
            system._redis = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{redis.Port},password={password}");
            var waf = Part.StartAsync("Waf", system.WafSettings(folder));
            var epCscf = Part.StartAsync("EpCscf", system.EpCscfSettings());
            var turn = Part.StartAsync("Turn", system.TurnSettings(system.TurnPort));
            system.Waf = system.Keep(await waf);
            system.EpCscf = system.Keep(await epCscf);
            system.Keep(await turn);
            system.Wwsf = system.Keep(await Part.StartAsync("Wwsf", system.WwsfSettings(folder)));
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    public Dictionary<string, string> WafSettings(string folder) => new()
    {
        ["ConnectionStrings__waf"] = $"Data Source={Path.Combine(folder, "waf.db")}",
        ["ConnectionStrings__redis"] = _redis,
        ["Waf__Issuer"] = "http://localhost:{port}/",
        ["Waf__TurnServers__0__Name"] = ServerName,
        ["Waf__TurnServers__0__Kid"] = "k1",
        ["Waf__TurnServers__0__Key"] = _turnKey,
        ["Waf__Clients__0__ClientId"] = "wwsf",
        ["Waf__Clients__0__ClientSecret"] = _clientSecret,
        ["Waf__Clients__0__Audiences__0"] = ServerName,
        ["Waf__Clients__0__Impus__0"] = $"sip:guest-*@{Domain}",
        ["Waf__Clients__0__Impus__1"] = $"sip:alice@{Domain}",
        ["Waf__Clients__0__Impus__2"] = $"sip:bob@{Domain}",
        ["Waf__ImsRegistration__Domain"] = Domain,
        ["Waf__ImsRegistration__Identity"] = $"waf.{Domain}",
        ["Waf__ImsRegistration__Kid"] = "r1",
        ["Waf__ImsRegistration__Key"] = _registrationKey,
    };

    /// <summary>The settings of a WWSF with a store in this folder.</summary>
    public Dictionary<string, string> WwsfSettings(string folder) => new()
    {
        ["ConnectionStrings__wwsf"] = $"Data Source={Path.Combine(folder, "wwsf.db")}",
        ["ConnectionStrings__redis"] = _redis,
        ["services__waf__http__0"] = Waf.Address.ToString(),
        ["services__ep-cscf__http__0"] = EpCscf.Address.ToString(),
        ["Wwsf__Waf__ClientSecret"] = _clientSecret,
        ["Wwsf__EpCscf__SessionsKey"] = _sessionsKey,
        ["Wwsf__TurnUris__0"] = string.Create(CultureInfo.InvariantCulture, $"turn:127.0.0.1:{TurnPort}?transport=udp"),
        ["Wwsf__TurnUris__1"] = string.Create(CultureInfo.InvariantCulture, $"turn:127.0.0.1:{TurnPort}?transport=tcp"),
        ["Wwsf__PublicOrigin__0"] = "http://localhost:{port}",
    };

    public Dictionary<string, string> EpCscfSettings() => new()
    {
        ["ConnectionStrings__redis"] = _redis,
        ["EpCscf__Subscribers__0__Impi"] = $"alice@{Domain}",
        ["EpCscf__Subscribers__0__Impus__0"] = $"sip:alice@{Domain}",
        ["EpCscf__Subscribers__0__AllowedWafs__0"] = $"waf.{Domain}",
        ["EpCscf__Subscribers__0__AllowedWwsfs__0"] = "wwsf",
        ["EpCscf__Pools__0__Name"] = "guest",
        ["EpCscf__Pools__0__Size"] = "50",
        ["EpCscf__Pools__0__DisplayName"] = "Guest",
        ["EpCscf__Pools__0__AllowedWafs__0"] = $"waf.{Domain}",
        ["EpCscf__Pools__0__AllowedWwsfs__0"] = "wwsf",
        ["EpCscf__TokenKeys__0__Kid"] = "r1",
        ["EpCscf__TokenKeys__0__Key"] = _registrationKey,
        ["EpCscf__FlowTokenKey"] = RandomKey(),
        ["EpCscf__SessionsKeys__0"] = _sessionsKey,
    };

    public Dictionary<string, string> TurnSettings(int port) => new()
    {
        ["ConnectionStrings__redis"] = _redis,
        ["Turn__Port"] = port.ToString(CultureInfo.InvariantCulture),
        ["Turn__ServerName"] = ServerName,
        ["Turn__Keys__0__Kid"] = "k1",
        ["Turn__Keys__0__Key"] = _turnKey,
    };

    /// <summary>The same settings outside Development, where parts must not need to be told to be careful.</summary>
    public static Dictionary<string, string> InProduction(Dictionary<string, string> settings) => new(settings)
    {
        ["ASPNETCORE_ENVIRONMENT"] = "Production",
        ["AllowedHosts"] = "localhost",
    };

    /// <summary>The number of keys in Redis.</summary>
    public async Task<string> RedisKeysAsync()
    {
        var parts = _redis.Split(':', ',', '=');
        using var connection = await Connection.OpenAsync("127.0.0.1", int.Parse(parts[1], CultureInfo.InvariantCulture));
        await connection.SendAsync($"*2\r\n$4\r\nAUTH\r\n${parts[3].Length}\r\n{parts[3]}\r\n");
        await connection.ReadAsync();
        await connection.SendAsync("*1\r\n$6\r\nDBSIZE\r\n");
        return Encoding.ASCII.GetString(await connection.ReadAsync()).Trim();
    }

    public async ValueTask DisposeAsync()
    {
        _parts.Reverse();
        foreach (var part in _parts) await part.DisposeAsync();
    }

    private Part Keep(Part part)
    {
        _parts.Add(part);
        return part;
    }

    private static string RandomKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
}
