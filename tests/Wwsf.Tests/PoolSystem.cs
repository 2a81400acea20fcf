using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The store of the leases.</summary>
public enum Store
{
    Memory,
    Redis,
}

/// <summary>
/// A WWSF with its neighbours and a small pool, half of which an address may have. Its time stands still until a test advances it; Redis
/// has its own clock. All guests register, unless a test changes that.
/// </summary>
internal sealed class PoolSystem : IAsyncDisposable
{
    private readonly Dictionary<string, string> _settings = [];
    private RedisServer? _server;

    private PoolSystem(ScriptedWaf waf, ScriptedEpCscf epCscf) => (Waf, EpCscf) = (waf, epCscf);

    public ScriptedWaf Waf { get; }

    public ScriptedEpCscf EpCscf { get; }

    public FakeTimeProvider Time { get; } = new(TimeProvider.System.GetUtcNow());

    public WwsfApp App { get; private set; } = null!;

    public IDatabase? Redis => App.Services.GetService<IConnectionMultiplexer>()?.GetDatabase();

    public static async Task<PoolSystem> StartAsync(Store store, int size, string quarantine = "00:01:00", RedisServer? server = null)
    {
        var system = new PoolSystem(await ScriptedWaf.StartAsync(), await ScriptedEpCscf.StartAsync());
        system.EpCscf.RegistersEverybody = true;
        system._settings["Wwsf:Pool:Size"] = $"{size}";
        system._settings["Wwsf:Pool:PerAddress"] = $"{Math.Max(1, size / 2)}";
        system._settings["Wwsf:Pool:Unregistered"] = $"{size}";
        system._settings["Wwsf:Pool:Quarantine"] = quarantine;
        system._settings["Wwsf:Limits:ImsTokensPerMinute"] = "100000";
        if (store == Store.Redis)
        {
            server ??= system._server = await RedisServer.StartAsync();
            // These tests are about leases. A busy machine must not make a command late.
            system._settings["ConnectionStrings:redis"] = $"{server.Address},asyncTimeout=30000";
        }
        system.App = system.NewReplica();
        return system;
    }

    public WwsfApp NewReplica()
    {
        var app = new WwsfApp(waf: Waf, epCscf: EpCscf) { Time = Time };
        foreach (var (key, value) in _settings) app.With(key, value);
        return app;
    }

    public async Task<IReadOnlyList<Page>> GuestsAsync(int count)
    {
        var pages = new List<Page>();
        for (var i = 0; i < count; i++) pages.Add(await App.OpenPageAsGuestAsync());
        return pages;
    }

    public async ValueTask DisposeAsync()
    {
        App.Dispose();
        await Waf.DisposeAsync();
        await EpCscf.DisposeAsync();
        if (_server is not null) await _server.DisposeAsync();
    }
}
