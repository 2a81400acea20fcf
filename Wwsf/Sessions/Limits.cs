using System.Net;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Telemetry;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>
/// Rate limits: logins and anonymous sessions by client address, tokens by session and by client address. With the defaults, a room full
/// of people behind one NAT address can work, and a script cannot. The WAF counts all users of this service as one client, so guests
/// together have less than what the WAF allows: the rest is for users.
/// </summary>
internal static class Limits
{
    public const string Logins = "logins";
    public const string AnonymousSessions = "anonymous sessions";
    public const string ImsTokens = "ims tokens";
    public const string TurnTokens = "turn tokens";
    public const string Demonstrations = "demonstrations";

    // Each gets a token, or stops a part.
    private const int DemonstrationsPerMinute = 20;

    private const string Guests = "guests";

    public static void AddLimits(this IHostApplicationBuilder builder, WwsfSettings settings) =>
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.OnRejected = (rejected, _) => new ValueTask(RefuseAsync(rejected));
            limiter.GlobalLimiter = PartitionedRateLimiter.CreateChained(
                Tokens(CallerAddress.Of, settings.Limits.TokensPerMinuteOfAddress),
                Tokens(context => IsGuest(context) ? Guests : null, settings.Limits.GuestTokensPerMinute));
            limiter.AddPolicy(Logins, context => PerMinute(CallerAddress.Of(context), settings.Limits.LoginsPerMinute));
            limiter.AddPolicy(
                AnonymousSessions, context => PerMinute(CallerAddress.Of(context), settings.Limits.AnonymousSessionsPerMinute));
            limiter.AddPolicy(ImsTokens, context => PerMinute(SessionOf(context), settings.Limits.ImsTokensPerMinute));
            limiter.AddPolicy(TurnTokens, context => PerMinute(SessionOf(context), settings.Limits.TurnTokensPerMinute));
            limiter.AddPolicy(Demonstrations, context => PerMinute(SessionOf(context), DemonstrationsPerMinute));
        });

    private static PartitionedRateLimiter<HttpContext> Tokens(Func<HttpContext, string?> callerOf, int permits) =>
        PartitionedRateLimiter.Create<HttpContext, string>(context =>
            PolicyOf(context) is ImsTokens or TurnTokens or Demonstrations && callerOf(context) is { } caller
                ? PerMinute(caller, permits) : RateLimitPartition.GetNoLimiter(""));

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
        var limit = PolicyOf(context) ?? "requests";
        context.RequestServices.GetRequiredService<AuditLog>().RateLimited(limit, CallerAddress.Of(context));
        var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var known) ? known : TimeSpan.FromSeconds(1);
        return Problem.RateLimited(wait).ExecuteAsync(context);
    }

    private static string? PolicyOf(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<EnableRateLimitingAttribute>()?.PolicyName;

    private static bool IsGuest(HttpContext context) => WebSession.From(context.User) is not { User: not null };

    private static string SessionOf(HttpContext context) => WebSession.From(context.User)?.Sid ?? CallerAddress.Of(context);
}
