using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>Endpoints that need more than a session of the user.</summary>
internal static class FactorChecks
{
    /// <summary>How long after a log-in its user may change what logs in (ASVS 7.5.1).</summary>
    public static readonly TimeSpan Recent = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Answers 403 if the user logged in too long ago, or with a password although the account has a passkey by now. A guest passes.
    /// </summary>
    public static TBuilder RequireRecentLogIn<TBuilder>(this TBuilder endpoints)
        where TBuilder : IEndpointConventionBuilder =>
        endpoints.AddEndpointFilter(async (call, next) =>
        {
            if (call.HttpContext.Request.Method == HttpMethods.Get) return await next(call);
            var session = WebSession.From(call.HttpContext.User)!;
            return await IsRecentAsync(session, call.HttpContext.RequestServices) ? await next(call) : Problem.LogInAgain;
        });

    /// <summary>Answers 403 to a session that <see cref="WebSession.NeedsPasskey"/>.</summary>
    public static TBuilder RequirePasskey<TBuilder>(this TBuilder endpoints)
        where TBuilder : IEndpointConventionBuilder =>
        endpoints.AddEndpointFilter((call, next) =>
            WebSession.From(call.HttpContext.User) is { NeedsPasskey: true }
                ? ValueTask.FromResult<object?>(Problem.PasskeyMissing)
                : next(call));

    private static async Task<bool> IsRecentAsync(WebSession session, IServiceProvider services)
    {
        if (await services.GetRequiredService<SessionRecords>().FindBeginAsync(session) is not { } began) return true;
        if (services.GetRequiredService<TimeProvider>().GetUtcNow() - began >= Recent) return false;
        if (!session.NeedsPasskey) return true;
        var users = services.GetRequiredService<UserManager<User>>();
        return (await users.GetPasskeysAsync((await users.FindByNameAsync(session.User!))!)).Count == 0;
    }
}
