using System.Diagnostics;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace WebRtcIms.WicWeb.Sessions;

/// <summary>
/// The boundary of our traces. A request continues the trace that it names if it belongs to a live session, and the session may write into
/// that trace (<see cref="TraceMembers"/>). Otherwise it begins a trace of its own, with a link to the one that it names. Its sampled flag,
/// its <c>tracestate</c> and its <c>baggage</c> do not count.
/// <para>ASP.NET Core starts the span of a request before the first middleware, so this runs around the server.</para>
/// </summary>
internal sealed class TraceBoundary(IServer server, LiveSessions sessions, TraceMembers members) : IServer
{
    // Request-Id and Correlation-Context are older names for the same things.
    private static readonly string[] Others = ["tracestate", "baggage", "Request-Id", "Correlation-Context"];

    public IFeatureCollection Features => server.Features;

    public static void AddTo(IServiceCollection services)
    {
        services.AddSingleton<LiveSessions>();
        services.AddSingleton<TraceMembers>();
        SurroundServer(services);
    }

    public static void SurroundServer(IServiceCollection services)
    {
        var inner = services.Last(service => service.ServiceType == typeof(IServer)).ImplementationType!;
        services.RemoveAll<IServer>();
        services.AddSingleton<IServer>(provider =>
            ActivatorUtilities.CreateInstance<TraceBoundary>(provider, ActivatorUtilities.CreateInstance(provider, inner)));
    }

    public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        where TContext : notnull => server.StartAsync(new Application<TContext>(application, this), cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => server.StopAsync(cancellationToken);

    public void Dispose() => server.Dispose();

    /// <summary>Leaves only the context that the request may continue, and returns another one that it names.</summary>
    private async Task<ActivityContext?> CheckAsync(IFeatureCollection features)
    {
        var headers = features.GetRequiredFeature<IHttpRequestFeature>().Headers;
        foreach (var name in Others) headers.Remove(name);
        var text = headers.TraceParent;
        headers.TraceParent = default;
        if (!ActivityContext.TryParse(text, null, isRemote: true, out var named)) return null;
        if (await sessions.FindAsync(new DefaultHttpContext(features)) is not { } session || !members.Admit(named.TraceId, session))
            return named;

        headers.TraceParent = $"00-{named.TraceId}-{named.SpanId}-01";
        return null;
    }

    private sealed class Application<TContext>(IHttpApplication<TContext> application, TraceBoundary boundary)
        : IHttpApplication<Request<TContext>>
        where TContext : notnull
    {
        public Request<TContext> CreateContext(IFeatureCollection contextFeatures) => new(contextFeatures);

        public async Task ProcessRequestAsync(Request<TContext> context)
        {
            var other = await boundary.CheckAsync(context.Features);
            context.Inner = application.CreateContext(context.Features);
            context.Activity = Activity.Current;
            if (other is { } named) context.Activity?.AddLink(new ActivityLink(named));
            await application.ProcessRequestAsync(context.Inner);
        }

        public void DisposeContext(Request<TContext> context, Exception? exception)
        {
            if (context.Inner is not { } inner) return;
            // The span of the request ends here, and its listeners expect it as the current one.
            Activity.Current = context.Activity;
            application.DisposeContext(inner, exception);
        }
    }

    private sealed class Request<TContext>(IFeatureCollection features)
    {
        public IFeatureCollection Features => features;

        public TContext? Inner { get; set; }

        public Activity? Activity { get; set; }
    }
}
