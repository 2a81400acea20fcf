using System.Net;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Telemetry;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>
/// Rate limits: logins and anonymous sessions by client address, tokens by session. With the defaults, a room full of people
/// behind one NAT address can work, and a script cannot.
/// </summary>
internal static class Limits
{
    public const string Logins = "logins";
    public const string AnonymousSessions = "anonymous sessions";
    public const string ImsTokens = "ims tokens";
    public const string TurnTokens = "turn tokens";

    public static void AddLimits(this IHostApplicationBuilder builder, WwsfSettings settings) =>
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.OnRejected = (rejected, _) => new ValueTask(RefuseAsync(rejected));
            limiter.AddPolicy(Logins, context => PerMinute(CallerAddress.Of(context), settings.Limits.LoginsPerMinute));
            limiter.AddPolicy(
                AnonymousSessions, context => PerMinute(CallerAddress.Of(context), settings.Limits.AnonymousSessionsPerMinute));
            limiter.AddPolicy(ImsTokens, context => PerMinute(SessionOf(context), settings.Limits.ImsTokensPerMinute));
            limiter.AddPolicy(TurnTokens, context => PerMinute(SessionOf(context), settings.Limits.TurnTokensPerMinute));
        });

    public static RateLimitPartition<string> PerMinute(string caller, int permits) =>
        RateLimitPartition.GetTokenBucketLimiter(caller, _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = permits,
            TokensPerPeriod = 1,
            ReplenishmentPeriod = TimeSpan.FromMinutes(1) / permits,
        });

    /// <summary>
    /// The address that a guest's identity counts for. Null for this machine in Development, where demonstrations run without a limit.
    /// Elsewhere a proxy on this machine that does not forward addresses would have no limit.
    /// </summary>
    public static string? GuestCaller(this HttpContext context) =>
        context.RequestServices.GetRequiredService<IHostEnvironment>().IsDevelopment()
        && context.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address) ? null : CallerAddress.Of(context);

    private static Task RefuseAsync(OnRejectedContext rejected)
    {
        var context = rejected.HttpContext;
        var limit = context.GetEndpoint()?.Metadata.GetMetadata<EnableRateLimitingAttribute>()?.PolicyName ?? "requests";
        context.RequestServices.GetRequiredService<AuditLog>().RateLimited(limit, CallerAddress.Of(context));
        var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var known) ? known : TimeSpan.FromSeconds(1);
        return Problem.RateLimited(wait).ExecuteAsync(context);
    }

    private static string SessionOf(HttpContext context) => WebSession.From(context.User)?.Sid ?? CallerAddress.Of(context);
}
