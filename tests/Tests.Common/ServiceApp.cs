using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// A service in this process, with its own settings and a temporary folder. Its log entries, spans and measurements are recorded.
/// Requests arrive in memory, or through a port of this machine after <see cref="Listen"/>.
/// </summary>
/// <typeparam name="TApp">The derived class, which the methods for set-up return.</typeparam>
/// <typeparam name="TProgram">The program of the service.</typeparam>
public abstract class ServiceApp<TApp, TProgram> : WebApplicationFactory<TProgram>
    where TApp : ServiceApp<TApp, TProgram>
    where TProgram : class
{
    // Names for documents (RFC 2606) are hosts of the service, unless a test says otherwise.
    private readonly Dictionary<string, string> _settings = new()
    {
        ["environment"] = "Production",
        // Each watched file takes an inotify instance, of which a user has 128.
        ["hostBuilder:reloadConfigOnChange"] = "false",
        ["AllowedHosts"] = "localhost;127.0.0.1;[::1];waf;wwsf;ep-cscf;*.example;*.example.com;*.example.org;*.test",
    };

    private readonly List<Action<IServiceCollection>> _changes = [];
    private readonly Lazy<DirectoryInfo> _folder = new(() => Directory.CreateTempSubdirectory("service-tests-"));
    private readonly ActivityListener _activities;
    private readonly MeterListener _meters = new();

    protected ServiceApp()
    {
        _activities = new ActivityListener
        {
            ShouldListenTo = ListensTo,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (Spans) Spans.Enqueue(span);
            },
        };
        ActivitySource.AddActivityListener(_activities);
    }

    /// <summary>The source address of requests; null keeps the address of the connection.</summary>
    public IPAddress? RemoteAddress { get; set; }

    /// <summary>Replaces the clock of the service.</summary>
    public TimeProvider? Time { get; init; }

    public LogRecorder Logs { get; } = new();

    /// <summary>Spans of the whole process, in which tests run in parallel. Lock it to read it, or call <see cref="SpansOf"/>.</summary>
    public Queue<Activity> Spans { get; } = new();

    /// <summary>Sums of whole-number measurements, such as <c>wwsf.sessions kind=user outcome=ok</c>. Lock it to read it.</summary>
    public Dictionary<string, long> Counts { get; } = [];

    /// <summary>The folder for files of the service.</summary>
    public string Folder => _folder.Value.FullName;

    /// <summary>The address of the server after <see cref="Listen"/>.</summary>
    public Uri Address => new UriBuilder(ClientOptions.BaseAddress).Uri;

    /// <summary>Changes a setting before the start.</summary>
    public TApp With(string name, string value)
    {
        _settings[name] = value;
        return (TApp)this;
    }

    /// <summary>Removes a setting before the start.</summary>
    public TApp Without(string name)
    {
        _settings.Remove(name);
        return (TApp)this;
    }

    /// <summary>Replaces a service before the start.</summary>
    public TApp Replace<TService>(TService service)
        where TService : class => WithServices(services => services.Replace(ServiceDescriptor.Singleton(service)));

    /// <summary>Changes the registered services before the start.</summary>
    public TApp WithServices(Action<IServiceCollection> change)
    {
        _changes.Add(change);
        return (TApp)this;
    }

    /// <summary>Collects log records of every level, regardless of the settings files.</summary>
    public TApp WithAllLogs()
    {
        string[] categories =
            ["Default", "Microsoft.AspNetCore", "Microsoft.EntityFrameworkCore", "OpenIddict", "Polly", "System.Net.Http.HttpClient"];
        foreach (var category in categories)
            With($"Logging:LogLevel:{category}", "Trace");
        return (TApp)this;
    }

    /// <summary>Starts the service on Kestrel: on a free loopback port, or as <paramref name="kestrel"/> configures it.</summary>
    public TApp Listen(Action<KestrelServerOptions>? kestrel = null)
    {
        // Not UseKestrel(0): that sets the port of a server which the program may have started by then.
        if (kestrel is null) With(WebHostDefaults.ServerUrlsKey, "http://127.0.0.1:0").UseKestrel();
        else UseKestrel(kestrel);
        StartServer();
        return (TApp)this;
    }

    public List<Activity> SpansOf(ActivityTraceId trace)
    {
        lock (Spans) return [.. Spans.Where(span => span.TraceId == trace)];
    }

    protected sealed override void ConfigureWebHost(IWebHostBuilder builder)
    {
        foreach (var (name, value) in _settings) builder.UseSetting(name, value);
        builder.ConfigureLogging(logging => logging.AddProvider(Logs));
        builder.ConfigureServices(services =>
        {
            services.ShareActivitySource();
            if (Time is not null) services.AddSingleton(Time);
            // A clock that a test advances would collect the garbage of all tests again and again.
            services.Remove(services.Single(service => service.ImplementationType?.Name == "IdleMemory"));
            services.AddSingleton<IStartupFilter>(new BeforeRequests(this));
            foreach (var change in _changes) change(services);
        });
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _activities.Dispose();
        _meters.Dispose();
        if (_folder.IsValueCreated && Directory.Exists(Folder)) Directory.Delete(Folder, recursive: true);
    }

    /// <summary>Whether spans of a source are collected. A collected source makes spans that others then have as parents.</summary>
    protected virtual bool ListensTo(ActivitySource source) => true;

    private void CountMetricsOf(IMeterFactory factory)
    {
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == factory && instrument.Meter.Name.StartsWith("WebRtcIms.", StringComparison.Ordinal))
                listener.EnableMeasurementEvents(instrument);
        };
        _meters.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var name = string.Join(' ', [instrument.Name, .. tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}")]);
            lock (Counts) Counts[name] = Counts.GetValueOrDefault(name) + value;
        });
        _meters.Start();
    }

    private sealed class BeforeRequests(ServiceApp<TApp, TProgram> app) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => pipeline =>
        {
            app.CountMetricsOf(pipeline.ApplicationServices.GetRequiredService<IMeterFactory>());
            pipeline.Use((HttpContext context, RequestDelegate rest) =>
            {
                if (app.RemoteAddress is { } address) context.Connection.RemoteIpAddress = address;
                return rest(context);
            });
            next(pipeline);
        };
    }
}
