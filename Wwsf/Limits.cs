using System.Net.Sockets;
using System.Threading.RateLimiting;
using WebRtcIms.Wwsf.Session;

namespace WebRtcIms.Wwsf;

/// <summary>
/// How often one caller may ask: log-ins and anonymous sessions by address, TURN tokens by session. The defaults let a room
/// full of people behind one NAT address work, and stop a script.
/// </summary>
internal static class Limits
{
    public const string Logins = "logins";
    public const string AnonymousSessions = "anonymous sessions";
    public const string TurnTokens = "turn tokens";

    public static void AddLimits(this IHostApplicationBuilder builder, WwsfSettings settings) =>
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.OnRejected = (rejected, _) => new ValueTask(
                Problem.RateLimited(rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1))
                    .ExecuteAsync(rejected.HttpContext));
            limiter.AddPolicy(Logins, context => PerMinute(AddressOf(context), settings.Limits.LoginsPerMinute));
            limiter.AddPolicy(AnonymousSessions, context => PerMinute(AddressOf(context), settings.Limits.AnonymousSessionsPerMinute));
            limiter.AddPolicy(TurnTokens, context =>
                PerMinute(WebSession.From(context.User)?.Sid ?? AddressOf(context), settings.Limits.TurnTokensPerMinute));
        });

    private static RateLimitPartition<string> PerMinute(string caller, int permits) =>
        RateLimitPartition.GetTokenBucketLimiter(caller, _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = permits,
            TokensPerPeriod = 1,
            ReplenishmentPeriod = TimeSpan.FromMinutes(1) / permits,
        });

    /// <summary>The caller's IPv4 address, or the /64 of its IPv6 address: every host has that many to choose from.</summary>
    internal static string AddressOf(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress;
        if (address is null) return "unknown";
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return address.AddressFamily == AddressFamily.InterNetworkV6
            ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
            : address.ToString();
    }
}
