using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>
/// The eP-CSCF on a free loopback port, with Alice (two identities), Bob, Carol (of another WWSF) and a pool of three guests.
/// </summary>
public sealed class EpCscfApp : ServiceApp<EpCscfApp, Program>
{
    public const string Domain = "ims.example";
    public const string Waf = "waf.ims.example";
    public const string SessionsKey = "the-key-that-wwsf-and-epcscf-share";

    private static readonly byte[] Key = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];

    private readonly RegistrationTokenKey _tokenKey = new("r1", Key);
    private ConnectionMultiplexer? _redis;

    public EpCscfApp()
    {
        WithAllLogs().With("EpCscf:HomeDomain", Domain).With("EpCscf:Waf", Waf)
            .With("EpCscf:AuthorizationServer", "https://waf.ims.example/oauth2/token")
            .With("EpCscf:TokenKeys:0:Kid", "r1").With("EpCscf:TokenKeys:0:Key", Convert.ToBase64String(Key))
            .With("EpCscf:FlowTokenKey", Convert.ToBase64String(new byte[32])).With("EpCscf:SessionsKeys:0", SessionsKey);
        Subscriber(0, "alice", "Alice", "sip:alice@ims.example", "sip:sales@ims.example");
        Subscriber(1, "bob", "Bob", "sip:bob@ims.example");
        Subscriber(2, "carol", "Carol", "sip:carol@ims.example");
        With("EpCscf:Subscribers:2:AllowedWwsfs:0", "another-wwsf");
        foreach (var (key, value) in ((string, string)[])[("Name", "guest"), ("Size", "3"), ("DisplayName", "Guest"),
            ("AllowedWafs:0", Waf), ("AllowedWwsfs:0", "wwsf")])
            With($"EpCscf:Pools:0:{key}", value);
    }

    /// <param name="time">If set, time stands still except for <c>Advance</c>.</param>
    /// <param name="settings">Settings besides the usual ones.</param>
    public static EpCscfApp Start(FakeTimeProvider? time = null, params (string Key, string Value)[] settings)
    {
        var app = new EpCscfApp { Time = time };
        foreach (var (key, value) in settings) app.With(key, value);
        return app.Listen();
    }

    /// <summary>The settings have no key for tokens unless <paramref name="settings"/> name one.</summary>
    public static EpCscfApp StartWithoutKey(FakeTimeProvider time, params (string Key, string Value)[] settings)
    {
        var app = new EpCscfApp { Time = time }.Without("EpCscf:TokenKeys:0:Kid").Without("EpCscf:TokenKeys:0:Key");
        foreach (var (key, value) in settings) app.With(key, value);
        return app.Listen();
    }

    internal static EpCscfApp Start(IBindingStore store) => new EpCscfApp().Replace(store).Listen();

    /// <summary>One of several that share a Redis, which it waits for as long as a busy machine needs.</summary>
    public static async Task<EpCscfApp> StartReplicaAsync(RedisServer redis, FakeTimeProvider time)
    {
        var connection =
            await ConnectionMultiplexer.ConnectAsync(
                new ConfigurationOptions { EndPoints = { redis.Address }, AsyncTimeout = 10_000, SyncTimeout = 10_000 });
        var app = new EpCscfApp { Time = time, _redis = connection };
        return app.With("ConnectionStrings:redis", redis.Address).Replace<IConnectionMultiplexer>(connection).Listen();
    }

    /// <summary>A token of the WAF.</summary>
    public string Token(
        string user, TimeSpan? lifetime = null, Func<RegistrationToken, RegistrationToken>? change = null, RegistrationTokenKey? key = null)
    {
        var now = (Time ?? TimeProvider.System).GetUtcNow().ToUnixTimeSeconds();
        var token = new RegistrationToken
        {
            Issuer = Waf,
            Audience = $"sip:{Domain}",
            Impi = $"{user}@{Domain}",
            Impus = user == "alice" ? ["sip:alice@ims.example", "sip:sales@ims.example"] : [$"sip:{user}@{Domain}"],
            Waf = Waf,
            Wwsf = "wwsf",
            IssuedAt = now,
            ExpiresAt = now + (long)(lifetime ?? TimeSpan.FromMinutes(10)).TotalSeconds,
            TokenId = Guid.NewGuid().ToString("N"),
            SessionId = $"session-of-{user}",
        };
        return (key ?? _tokenKey).Encrypt(change is null ? token : change(token));
    }

    /// <summary>A connected page.</summary>
    internal Task<Wic> ConnectAsync(string user = "alice", string? instance = null) => Wic.ConnectAsync(this, user, instance);

    /// <summary>A registered page.</summary>
    internal async Task<Wic> RegisterAsync(string user, string? instance = null)
    {
        var wic = await ConnectAsync(user, instance);
        Assert.Equal("SIP/2.0 200 OK", (await wic.RegisterAsync(Token(user))).StartLine);
        return wic;
    }

    public T Service<T>()
        where T : notnull => Services.GetRequiredService<T>();

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _redis?.Dispose();
        _tokenKey.Dispose();
    }

    private void Subscriber(int index, string user, string displayName, params string[] impus)
    {
        With($"EpCscf:Subscribers:{index}:Impi", $"{user}@{Domain}");
        With($"EpCscf:Subscribers:{index}:DisplayName", displayName);
        With($"EpCscf:Subscribers:{index}:AllowedWafs:0", Waf);
        With($"EpCscf:Subscribers:{index}:AllowedWwsfs:0", "wwsf");
        for (var i = 0; i < impus.Length; i++) With($"EpCscf:Subscribers:{index}:Impus:{i}", impus[i]);
    }
}
