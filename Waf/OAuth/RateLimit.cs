using System.Globalization;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Waf.OAuth;

/// <summary>Bounds the requests of one address to the endpoints that take a secret or give one.</summary>
internal static class RateLimit
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan DefaultWait = TimeSpan.FromSeconds(10);

    /// <param name="options">The options of the middleware.</param>
    /// <param name="requestsPerMinute">For one address and all paths together.</param>
    /// <param name="paths">The paths, each with all below it.</param>
    public static void Apply(RateLimiterOptions options, int requestsPerMinute, params PathString[] paths)
    {
        options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        options.OnRejected = (rejected, _) =>
        {
            var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : DefaultWait;
            rejected.HttpContext.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            return ValueTask.CompletedTask;
        };
        options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context =>
            Array.Exists(paths, path => context.Request.Path.StartsWithSegments(path))
                ? RateLimitPartition.GetSlidingWindowLimiter(CallerAddress.Of(context), _ => new()
                {
                    PermitLimit = requestsPerMinute,
                    Window = Window,
                    SegmentsPerWindow = 6,
                })
                : RateLimitPartition.GetNoLimiter(""));
    }
}
