using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>
/// The WWSF in this process with a database of its own, a scripted WAF and eP-CSCF, and everything that it logs, traces and counts.
/// Requests come from <see cref="RemoteAddress"/>, which is the gateway's place: this machine.
/// </summary>
internal sealed class WwsfApp : WebApplicationFactory<Program>
{
    public const string ClientSecret = "s3cret+of/the client";

    private readonly string _directory = Directory.CreateTempSubdirectory("wwsf-tests-").FullName;
    private readonly Dictionary<string, string> _settings = [];
    private readonly MeterListener _meters = new();
    private readonly ActivityListener _activities;

    public WwsfApp(string environment = "Development", ScriptedWaf? waf = null, ScriptedEpCscf? epCscf = null)
    {
        _settings["environment"] = environment;
        _settings["Wwsf:Waf:ClientSecret"] = ClientSecret;
        _settings["Wwsf:TurnUris:0"] = "turn:127.0.0.1:3478?transport=udp";
        _settings["Wwsf:TurnUris:1"] = "turns:turn.example.com";
        _settings["ConnectionStrings:wwsf"] = $"Data Source={_directory}/data/wwsf.db";
        if (waf is not null) _settings["services:waf:http:0"] = waf.Address;
        // Nobody listens there.
        _settings["services:ep-cscf:http:0"] = epCscf?.Address ?? "http://127.0.0.1:9";
        _activities = Listen();
    }

    public IPAddress RemoteAddress { get; set; } = IPAddress.Loopback;

    public TimeProvider? Time { get; init; }

    public LogRecorder Logs { get; } = new();

    /// <summary>Spans of this process; filter by trace id, since tests run side by side.</summary>
    public Queue<Activity> Spans { get; } = new();

    /// <summary>Counts such as <c>wwsf.sessions kind=user outcome=ok</c>.</summary>
    public Dictionary<string, long> Counts { get; } = [];

    public string DatabaseDirectory => Path.Combine(_directory, "data");

    public WwsfApp With(string key, string value)
    {
        _settings[key] = value;
        return this;
    }

    /// <summary>Every log record there is, however fine.</summary>
    public WwsfApp WithAllLogs()
    {
        foreach (var category in (string[])["Default", "Microsoft.AspNetCore", "Microsoft.EntityFrameworkCore", "System.Net.Http.HttpClient", "Polly"])
            With($"Logging:LogLevel:{category}", "Trace");
        return this;
    }

    /// <summary>A browser that has loaded the page.</summary>
    public async Task<Page> OpenPageAsync(string origin = "http://localhost")
    {
        var page = new Page(CreateClient(new() { BaseAddress = new Uri(origin), HandleCookies = false, AllowAutoRedirect = false }));
        await page.LoadAsync();
        return page;
    }

    /// <summary>A browser that has loaded the page and continued as a guest.</summary>
    public async Task<Page> OpenPageAsGuestAsync()
    {
        var page = await OpenPageAsync();
        await page.ContinueAsGuestAsync();
        return page;
    }

    public async Task AddUserAsync(string name, string password)
    {
        await using var scope = Services.CreateAsyncScope();
        var result = await scope.ServiceProvider.GetRequiredService<UserManager<User>>().CreateAsync(new User { UserName = name }, password);
        Assert.True(result.Succeeded, result.ToString());
    }

    public List<Activity> SpansOf(ActivityTraceId trace)
    {
        lock (Spans) return [.. Spans.Where(span => span.TraceId == trace)];
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
            services.AddHostedService(provider =>
            {
                CountMetrics(provider.GetRequiredService<IMeterFactory>());
                return new Nothing();
            });
        });
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _meters.Dispose();
        _activities.Dispose();
        if (Directory.Exists(_directory)) Directory.Delete(_directory, recursive: true);
    }

    private void CountMetrics(IMeterFactory factory)
    {
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == factory && instrument.Meter.Name == "WebRtcIms.Wwsf") listener.EnableMeasurementEvents(instrument);
        };
        _meters.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var name = string.Join(' ', [instrument.Name, .. tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}")]);
            lock (Counts) Counts[name] = Counts.GetValueOrDefault(name) + value;
        });
        _meters.Start();
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

    private sealed class Nothing : Microsoft.Extensions.Hosting.BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.CompletedTask;
    }

    private sealed class Caller(WwsfApp app) : IStartupFilter
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
