using System.Net;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Sessions;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Waf;

namespace WebRtcIms.Wwsf.Stage;

/// <summary>What the page can demonstrate.</summary>
/// <param name="Cheats">Names for <c>POST /api/stage/cheats/{name}</c>.</param>
/// <param name="Parts">Parts that this browser may stop; none unless it runs on this machine.</param>
/// <param name="CanOpen">Whether the TURN server shows what it found in a token.</param>
internal sealed record StageOffer(IReadOnlyList<string> Cheats, IReadOnlyList<Part> Parts, bool CanOpen);

/// <summary>Body of <c>POST /api/stage/envelope</c>.</summary>
/// <param name="Relay">The relayed transport address of an allocation of this session.</param>
internal sealed record EnvelopeRequest(string? Relay);

/// <summary>
/// <c>/api/stage</c>: demonstrations, only in Development and for a live session. Stopping parts and opening tokens are only for browsers
/// on this machine.
/// </summary>
internal static class StageEndpoints
{
    public static void MapStage(this IEndpointRouteBuilder api, StageSettings settings)
    {
        if (!settings.IsOn) return;
        var stage = api.MapGroup("stage").WithMetadata(new SessionRequired());
        stage.MapGet("", OfferAsync);
        var demonstrations = stage.MapGroup("")
            .AddEndpointFilter(OnlyOwnPageAsync)
            .RequireAntiforgeryToken()
            .RequirePasskey()
            .RequireRateLimiting(Limits.Demonstrations);
        demonstrations.MapPost("cheats/{name}", CheatAsync);
        var here = demonstrations.MapGroup("").AddEndpointFilter(OnlyHereAsync);
        here.MapPost("envelope", OpenAsync);
        here.MapPost("parts/{name}/break", BreakAsync);
    }

    private static async Task<IResult> OfferAsync(HttpContext context, Cheats cheats, PartControl parts, TurnTokens tokens)
    {
        var isHere = IsHere(context);
        var list = isHere ? await parts.ListAsync(context.RequestAborted) : [];
        return list is null
            ? Problem.StageUnavailable
            : TypedResults.Ok(new StageOffer(cheats.Names, list, isHere && tokens.CanOpen));
    }

    private static async Task<IResult> CheatAsync(string name, HttpContext context, Cheats cheats, WafClient waf)
    {
        if (!cheats.Names.Contains(name)) return Problem.OfStatus(404);
        var (answer, problem) = await cheats.TryAsync(name, WebSession.From(context.User)!, waf, context.RequestAborted);
        return answer is null ? problem! : TypedResults.Ok(answer);
    }

    private static async Task<IResult> OpenAsync(EnvelopeRequest envelope, HttpContext context, TurnTokens tokens)
    {
        if (!IPEndPoint.TryParse(envelope.Relay ?? "", out _)) return Problem.OfStatus(400);
        var (opened, problem) = await tokens.OpenAsync(envelope.Relay!, WebSession.From(context.User)!, context.RequestAborted);
        return opened is null ? problem! : TypedResults.Ok(opened);
    }

    private static async Task<IResult> BreakAsync(string name, HttpContext context, PartControl parts) =>
        await parts.BreakAsync(name, context.RequestAborted) is { } problem ? problem : TypedResults.Ok(new { name });

    // The antiforgery token already says so; a browser says it again.
    private static ValueTask<object?> OnlyOwnPageAsync(EndpointFilterInvocationContext call, EndpointFilterDelegate next) =>
        call.HttpContext.Request.Headers["Sec-Fetch-Site"].Any(site => site != "same-origin")
            ? ValueTask.FromResult<object?>(Problem.OfStatus(403))
            : next(call);

    private static ValueTask<object?> OnlyHereAsync(EndpointFilterInvocationContext call, EndpointFilterDelegate next) =>
        IsHere(call.HttpContext) ? next(call) : ValueTask.FromResult<object?>(Problem.OfStatus(404));

    private static bool IsHere(HttpContext context) =>
        context.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address);
}
