using WebRtcIms.WicWeb.Forwarding;

namespace WebRtcIms.WicWeb.Connections;

/// <summary>
/// Ends WebSockets and event streams when the gateway stops. Otherwise it would wait for 30 s and then cut them off. The pages connect
/// again at once, to another replica.
/// </summary>
internal static class LongRequests
{
    // The ports close a moment after the signal. A page that comes until then is sent away with the others, and not forgotten.
    private static readonly TimeSpan UntilPortsAreClosed = TimeSpan.FromMilliseconds(250);

    public static void EndAtStop(this WebApplication app)
    {
        var end = new CancellationTokenSource();
        app.Lifetime.ApplicationStopping.Register(() => end.CancelAfter(UntilPortsAreClosed));
        app.Use((context, next) => IsLong(context) ? RunAsync(context, next, end.Token) : next(context));
    }

    private static async Task RunAsync(HttpContext context, RequestDelegate next, CancellationToken end)
    {
        using var registration = end.UnsafeRegister(static request => ((HttpContext)request!).Abort(), context);
        await next(context);
    }

    private static bool IsLong(HttpContext context) =>
        context.Request.Path == Gateway.SipPath || context.Request.Path == FlowViewRoutes.EventsPath;
}
