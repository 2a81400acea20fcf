using System.Threading.RateLimiting;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Wwsf.Session;

namespace WebRtcIms.Wwsf;

/// <summary>
/// How often one caller may ask: log-ins and anonymous sessions by address, tokens by session. The defaults let a room
/// full of people behind one NAT address work, and stop a script.
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
            limiter.OnRejected = (rejected, _) => new ValueTask(
                Problem.RateLimited(rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1))
                    .ExecuteAsync(rejected.HttpContext));
            limiter.AddPolicy(Logins, context => PerMinute(CallerAddress.Of(context), settings.Limits.LoginsPerMinute));
            limiter.AddPolicy(AnonymousSessions, context => PerMinute(CallerAddress.Of(context), settings.Limits.AnonymousSessionsPerMinute));
            limiter.AddPolicy(ImsTokens, context => PerMinute(SessionOf(context), settings.Limits.ImsTokensPerMinute));
            limiter.AddPolicy(TurnTokens, context => PerMinute(SessionOf(context), settings.Limits.TurnTokensPerMinute));
        });

    private static string SessionOf(HttpContext context) => WebSession.From(context.User)?.Sid ?? CallerAddress.Of(context);

    public static RateLimitPartition<string> PerMinute(string caller, int permits) =>
        RateLimitPartition.GetTokenBucketLimiter(caller, _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = permits,
            TokensPerPeriod = 1,
            ReplenishmentPeriod = TimeSpan.FromMinutes(1) / permits,
        });
}
