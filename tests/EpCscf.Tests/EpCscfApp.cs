using System.Diagnostics;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>
/// The eP-CSCF on a real Kestrel and a free loopback port, with Alice (two identities), Bob, a pool of three guests, and
/// everything that it logs and traces.
/// </summary>
internal sealed class EpCscfApp : WebApplicationFactory<Program>
{
    public const string Domain = "ims.example";
    public const string Waf = "waf.ims.example";

    private static readonly byte[] Key = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];

    private readonly RegistrationTokenKey _tokenKey = new("r1", Key);
    private readonly ActivityListener _activities;
    private readonly Dictionary<string, string> _settings = new()
    {
        ["environment"] = "Production",
        ["urls"] = "http://127.0.0.1:0",
        ["EpCscf:HomeDomain"] = Domain,
        ["EpCscf:Waf"] = Waf,
        ["EpCscf:AuthorizationServer"] = "https://waf.ims.example/oauth2/token",
        ["EpCscf:TokenKeys:0:Kid"] = "r1",
        ["EpCscf:TokenKeys:0:Key"] = Convert.ToBase64String(Key),
        ["EpCscf:FlowTokenKey"] = Convert.ToBase64String(new byte[32]),
    };

    public EpCscfApp()
    {
        Subscriber(0, "alice", "Alice", "sip:alice@ims.example", "sip:sales@ims.example");
        Subscriber(1, "bob", "Bob", "sip:bob@ims.example");
        Subscriber(2, "carol", "Carol", "sip:carol@ims.example");
        With("EpCscf:Subscribers:2:AllowedWwsfs:0", "another-wwsf");
        foreach (var (key, value) in ((string, string)[])[("Name", "guest"), ("Size", "3"), ("DisplayName", "Guest"), ("AllowedWafs:0", Waf), ("AllowedWwsfs:0", "wwsf")])
            With($"EpCscf:Pools:0:{key}", value);
        _activities = new ActivityListener
        {
            ShouldListenTo = source => source.Name.StartsWith("WebRtcIms", StringComparison.Ordinal),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (Spans) Spans.Add(span);
            },
        };
        ActivitySource.AddActivityListener(_activities);
    }

    /// <summary>When set, time stands still but for <c>Advance</c>.</summary>
    public FakeTimeProvider? Time { get; init; }

    /// <summary>When set, Redis is waited for as long as a busy machine of many tests needs.</summary>
    public ConfigurationOptions? PatientRedis { get; init; }

    /// <summary>When set, bindings are kept there.</summary>
    public IBindingStore? Store { get; init; }

    public LogRecorder Logs { get; } = new();

    /// <summary>Spans of this process; filter by trace id, since tests run side by side.</summary>
    public List<Activity> Spans { get; } = [];

    public Uri Address => new UriBuilder(ClientOptions.BaseAddress).Uri;

    public static EpCscfApp Start(FakeTimeProvider? time = null, params (string Key, string Value)[] settings)
    {
        var app = new EpCscfApp { Time = time };
        foreach (var (key, value) in settings) app.With(key, value);
        return app.Listen();
    }

    public static EpCscfApp Start(IBindingStore store) => new EpCscfApp { Store = store }.Listen();

    /// <summary>One of several that share a Redis.</summary>
    public static EpCscfApp StartReplica(RedisServer redis, FakeTimeProvider time)
    {
        var app = new EpCscfApp { Time = time, PatientRedis = new() { EndPoints = { redis.Address }, AsyncTimeout = 10_000, SyncTimeout = 10_000 } };
        app.With("ConnectionStrings:redis", redis.Address);
        return app.Listen();
    }

    private EpCscfApp Listen()
    {
        // With a port given to it, the factory sets the address after the program may have started.
        UseKestrel();
        StartServer();
        return this;
    }

    /// <summary>A token as the WAF makes it.</summary>
    public string Token(string user, TimeSpan? lifetime = null, Func<RegistrationToken, RegistrationToken>? change = null)
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
        return _tokenKey.Encrypt(change is null ? token : change(token));
    }

    /// <summary>A page that has connected.</summary>
    public Task<Wic> ConnectAsync(string user = "alice", string? instance = null) => Wic.ConnectAsync(this, user, instance);

    /// <summary>A page that is online.</summary>
    public async Task<Wic> RegisterAsync(string user, string? instance = null)
    {
        var wic = await ConnectAsync(user, instance);
        Assert.Equal("SIP/2.0 200 OK", (await wic.RegisterAsync(Token(user))).StartLine);
        return wic;
    }

    public T Service<T>()
        where T : notnull => Services.GetRequiredService<T>();

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        foreach (var (key, value) in _settings) builder.UseSetting(key, value);
        builder.ConfigureLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(Logs));
        builder.ConfigureServices(services =>
        {
            services.ShareActivitySource();
            if (Time is not null) services.AddSingleton<TimeProvider>(Time);
            if (Store is not null) services.AddSingleton(Store);
            if (PatientRedis is not null) services.AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(PatientRedis));
        });
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _activities.Dispose();
        _tokenKey.Dispose();
    }

    private void With(string key, string value) => _settings[key] = value;

    private void Subscriber(int index, string user, string displayName, params string[] impus)
    {
        With($"EpCscf:Subscribers:{index}:Impi", $"{user}@{Domain}");
        With($"EpCscf:Subscribers:{index}:DisplayName", displayName);
        With($"EpCscf:Subscribers:{index}:AllowedWafs:0", Waf);
        With($"EpCscf:Subscribers:{index}:AllowedWwsfs:0", "wwsf");
        for (var i = 0; i < impus.Length; i++) With($"EpCscf:Subscribers:{index}:Impus:{i}", impus[i]);
    }
}
