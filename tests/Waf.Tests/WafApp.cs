using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>
/// The WAF in this process with a store of its own, two TURN servers and two clients, and everything that it logs and traces.
/// <see cref="Client"/> may get tokens for both servers, <see cref="OtherClient"/> for the second alone.
/// </summary>
public sealed class WafApp : WebApplicationFactory<Program>
{
    public const string Client = "wwsf";
    public const string ClientSecret = "s3cret+of/the client: 8%41?";
    public const string OtherClient = "other";
    public const string OtherSecret = "another-s3cret-of-more";
    public const string TurnServer = "turn.example.org";
    public const string SecondTurnServer = "turn2.example.org";

    private static readonly byte[] LongTermKey = RandomNumberGenerator.GetBytes(32);
    private static readonly byte[] SecondLongTermKey = RandomNumberGenerator.GetBytes(16);

    private readonly string _directory = Directory.CreateTempSubdirectory("waf-tests-").FullName;
    private readonly Dictionary<string, string> _settings = [];
    private readonly ActivityListener _activities;

    /// <summary>With the settings as described.</summary>
    public WafApp()
    {
        foreach (var (key, value) in GoodSettings()) _settings[key] = value;
        _settings["environment"] = "Development";
        _settings["ConnectionStrings:waf"] = $"Data Source={_directory}/data/waf.db";
        _activities = Listen();
    }

    /// <summary>Where requests come from.</summary>
    public IPAddress RemoteAddress { get; set; } = IPAddress.Loopback;

    public TimeProvider? Time { get; init; }

    public LogRecorder Logs { get; } = new();

    /// <summary>Spans of this process, of all that runs in it.</summary>
    public Queue<Activity> Spans { get; } = new();

    public string StoreDirectory => Path.Combine(_directory, "data");

    /// <summary>Settings without a mistake.</summary>
    public static Dictionary<string, string> GoodSettings() => new()
    {
        ["Waf:TurnServers:0:Name"] = TurnServer,
        ["Waf:TurnServers:0:Kid"] = "k1",
        ["Waf:TurnServers:0:Key"] = Convert.ToBase64String(LongTermKey),
        ["Waf:TurnServers:1:Name"] = SecondTurnServer,
        ["Waf:TurnServers:1:Kid"] = "k2",
        ["Waf:TurnServers:1:Key"] = Convert.ToBase64String(SecondLongTermKey),
        ["Waf:TurnServers:1:Algorithm"] = "A128GCM",
        ["Waf:TurnServers:1:TokenLifetime"] = "00:01:30",
        ["Waf:Clients:0:ClientId"] = Client,
        ["Waf:Clients:0:ClientSecret"] = ClientSecret,
        ["Waf:Clients:0:Audiences:0"] = TurnServer,
        ["Waf:Clients:0:Audiences:1"] = SecondTurnServer,
        ["Waf:Clients:1:ClientId"] = OtherClient,
        ["Waf:Clients:1:ClientSecret"] = OtherSecret,
        ["Waf:Clients:1:Audiences:0"] = SecondTurnServer,
    };

    /// <summary>The keys as the TURN servers have them.</summary>
    public static AccessTokenKeyRing KeyRing() => new(
    [
        new AccessTokenKey("k1", AccessTokenAlgorithm.A256Gcm, LongTermKey),
        new AccessTokenKey("k2", AccessTokenAlgorithm.A128Gcm, SecondLongTermKey),
    ]);

    /// <summary>Decrypts as the TURN server of this name does; throws when it would answer 401.</summary>
    public static AccessToken Decrypt(string kid, string token, string turnServer)
    {
        var key = KeyRing().Find(Encoding.UTF8.GetBytes(kid), DateTimeOffset.UnixEpoch);
        Assert.NotNull(key);
        Assert.Equal(AccessTokenStatus.Valid, key.TryDecrypt(Convert.FromBase64String(token), Encoding.UTF8.GetBytes(turnServer), out var content));
        return content;
    }

    /// <summary>Changes a setting before the start.</summary>
    public WafApp With(string key, string value)
    {
        _settings[key] = value;
        return this;
    }

    /// <summary>Every log record there is, however fine.</summary>
    public WafApp WithAllLogs()
    {
        foreach (var category in (string[])["Default", "Microsoft.AspNetCore", "Microsoft.EntityFrameworkCore", "OpenIddict"])
            With($"Logging:LogLevel:{category}", "Trace");
        return this;
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        foreach (var (key, value) in _settings) builder.UseSetting(key, value);
        builder.ConfigureLogging(logging => logging.AddProvider(Logs));
        builder.ConfigureServices(services =>
        {
            services.ShareActivitySource();
            if (Time is not null) services.AddSingleton(Time);
            services.AddSingleton<IStartupFilter>(new Caller(this));
        });
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _activities.Dispose();
        if (Directory.Exists(_directory)) Directory.Delete(_directory, recursive: true);
    }

    private ActivityListener Listen()
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = _ => true,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (Spans) Spans.Enqueue(span);
            },
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    private sealed class Caller(WafApp app) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => pipeline =>
        {
            pipeline.Use((HttpContext context, RequestDelegate rest) =>
            {
                context.Connection.RemoteIpAddress = app.RemoteAddress;
                return rest(context);
            });
            next(pipeline);
        };
    }
}
