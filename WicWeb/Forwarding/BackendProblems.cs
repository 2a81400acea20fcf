using WebRtcIms.Contracts;

namespace WebRtcIms.WicWeb.Forwarding;

/// <summary>
/// If a backend cannot be reached, the page gets RFC 9457 problem details with a code and a sentence, not a bare 502. The page shows
/// its own text for the code, in the reader's language. A body that the client did not send properly is the client's mistake: 400, not 503.
/// </summary>
internal static class BackendProblems
{
    private const string RetryAfterSeconds = "2";

    public static async Task WriteAsync(HttpContext context, RequestDelegate next)
    {
        await next(context);
        BackendLog.Note(context);
        if (context.Response.HasStarted || context.GetForwarderErrorFeature() is not { Error: not ForwarderError.None } failure) return;
        if (context.RequestAborted.IsCancellationRequested) return;

        await (BadRequestIn(failure) switch
        {
            null => WriteUnavailableAsync(context),
            StatusCodes.Status413PayloadTooLarge => WriteTooLargeAsync(context),
            { } status => WriteProblemAsync(context, status, ProblemCodes.InvalidRequest,
                "Invalid request", "The request's body is incomplete or malformed."),
        });
    }

    // The backend may have noticed the end of the body first, so the error that YARP names is sometimes another.
    private static int? BadRequestIn(IForwarderErrorFeature failure)
    {
        for (var error = failure.Exception; error is not null; error = error.InnerException)
        {
            if (error is BadHttpRequestException unreadable) return unreadable.StatusCode;
        }

        return failure.Error == ForwarderError.RequestBodyClient ? StatusCodes.Status400BadRequest : null;
    }

    private static Task WriteTooLargeAsync(HttpContext context) =>
        WriteProblemAsync(context, StatusCodes.Status413PayloadTooLarge, ProblemCodes.RequestTooLarge,
            "Request too large", "The request is larger than this service accepts (16 KB).");

    private static Task WriteUnavailableAsync(HttpContext context)
    {
        context.Response.Headers.RetryAfter = RetryAfterSeconds;
        var (code, title, detail) = context.GetReverseProxyFeature().Route.Config.ClusterId switch
        {
            FlowViewRoutes.ClusterId => (ProblemCodes.FlowViewUnavailable,
                "FlowView is not available", "FlowView does not answer at the moment. Calls work without it."),
            "ep-cscf" => (ProblemCodes.EpCscfUnavailable,
                "The call service is not available",
                "The call service (eP-CSCF) does not answer at the moment. Try again in a few seconds."),
            _ => (ProblemCodes.WwsfUnavailable,
                "The web service is not available", "The web service (WWSF) does not answer at the moment. Try again in a few seconds."),
        };
        return WriteProblemAsync(context, StatusCodes.Status503ServiceUnavailable, code, title, detail);
    }

    private static async Task WriteProblemAsync(HttpContext context, int status, string code, string title, string detail)
    {
        context.Response.StatusCode = status;
        await Results.Problem(detail, statusCode: status, title: title, extensions: new Dictionary<string, object?> { ["code"] = code })
            .ExecuteAsync(context);
    }
}
