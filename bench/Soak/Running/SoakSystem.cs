using System.Globalization;

namespace WebRtcIms.Soak.Running;

/// <summary>All parts as processes of this machine, with a redis-server and a PostgreSQL server of their own.</summary>
internal sealed class SoakSystem : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("soak-");
    private readonly Dictionary<string, int> _ports = Parts.Projects.Keys.ToDictionary(part => part, _ => FreePorts.Tcp());
    private readonly List<PartProcess> _parts = [];
    private readonly RedisServer _redis;
    private PostgresServer? _postgres;

    private SoakSystem(RedisServer redis) => _redis = redis;

    public IReadOnlyList<PartProcess> Processes => _parts;

    /// <summary>The process of PostgreSQL; null without one.</summary>
    public int? Postgres => _postgres?.Id;

    public string Redis => _redis.Address;

    public Uri Gateway => AddressOf("wic-web");

    public static async Task<SoakSystem> StartAsync(bool hasPostgres)
    {
        var system = new SoakSystem(await RedisServer.StartAsync());
        try
        {
            if (hasPostgres) system._postgres = await PostgresServer.StartAsync();
            await system.StartPartsAsync();
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    public Uri AddressOf(string part) => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_ports[part]}"));

    public PartProcess this[string part] => _parts.Single(process => process.Part == part);

    public async ValueTask DisposeAsync()
    {
        foreach (var part in _parts) await part.DisposeAsync();
        if (_postgres is not null) await _postgres.DisposeAsync();
        await _redis.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task StartPartsAsync()
    {
        var places = new Places(
            Redis, StoreOf("waf"), StoreOf("wwsf"), _folder.FullName, _ports, FreePorts.TcpAndUdp());
        foreach (var (part, settings) in PartSettings.Of(places))
        {
            settings["ASPNETCORE_URLS"] = AddressOf(part).ToString();
            settings["Prometheus__Port"] = _ports[part].ToString(CultureInfo.InvariantCulture);
            _parts.Add(PartProcess.Start(part, settings));
        }

        foreach (var part in _parts) await part.UntilAnswersAsync(new Uri(AddressOf(part.Part), "/health"));
    }

    private string StoreOf(string part) =>
        _postgres?.ConnectionString(part) ?? $"Data Source={Path.Combine(_folder.FullName, $"{part}.db")}";
}
