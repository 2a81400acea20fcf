namespace WebRtcIms.AppHost;

/// <summary>
/// How often each part runs: the setting <c>replicas</c>. Aspire's proxies share the connections out among the replicas of WAF, WWSF,
/// eP-CSCF and gateway. TURN servers are not proxied, so each is a resource with ports of its own.
/// </summary>
internal static class Replicas
{
    private const string Setting = "replicas";

    // Browsers ask every TURN server, over UDP and TCP, and a token is good for 16 allocations: two peer connections at three servers.
    private const int Most = 3;

    /// <summary>The setting, by default 1. A deployment scales by its own means, so it is 1 when publishing.</summary>
    /// <exception cref="DistributedApplicationException">It is not a number from 1 to 3.</exception>
    public static int ReadReplicas(this IDistributedApplicationBuilder builder)
    {
        var text = builder.Configuration[Setting];
        if (string.IsNullOrWhiteSpace(text)) return 1;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var replicas) || replicas is < 1 or > Most)
            throw new DistributedApplicationException($"{Setting} must be a number from 1 to {Most}; it is '{text}'.");
        return builder.ExecutionContext.IsPublishMode ? 1 : replicas;
    }
}
