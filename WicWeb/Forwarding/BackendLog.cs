using System.Collections.Concurrent;

namespace WebRtcIms.WicWeb.Forwarding;

/// <summary>Logs each request that a backend did not answer, in its trace, and once that the backend answers again.</summary>
internal sealed partial class BackendLog(ILogger<BackendLog> logger)
{
    private readonly ConcurrentDictionary<string, bool> _away = new();

    /// <summary>Call it when a request has been forwarded.</summary>
    public static void Note(HttpContext context)
    {
        if (context.RequestAborted.IsCancellationRequested) return;
        var backend = context.GetReverseProxyFeature().Route.Config.ClusterId ?? "";
        context.RequestServices.GetRequiredService<BackendLog>().Note(backend, context.GetForwarderErrorFeature()?.Error);
    }

    private void Note(string backend, ForwarderError? error)
    {
        switch (error)
        {
            case ForwarderError.Request or ForwarderError.RequestTimedOut or ForwarderError.NoAvailableDestinations:
                _away[backend] = true;
                LogUnavailable(backend, error.Value);
                break;
            case null or ForwarderError.None when _away.TryRemove(backend, out _):
                LogAvailable(backend);
                break;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "{Backend} does not answer ({Error}). The page gets 503, and tries again by itself")]
    private partial void LogUnavailable(string backend, ForwarderError error);

    [LoggerMessage(2, LogLevel.Information, "{Backend} answers again")]
    private partial void LogAvailable(string backend);
}
