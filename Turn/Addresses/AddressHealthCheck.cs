using Microsoft.Extensions.Diagnostics.HealthChecks;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Addresses;

/// <summary>Unhealthy while no client can reach this server; degraded while a configured address is missing.</summary>
internal sealed class AddressHealthCheck(ListeningAddresses listening, EngineSettings engine) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var problems = string.Join("; ", listening.Problems);
        return Task.FromResult(
            listening.Live.Count == 0 || (!engine.RelaysIPv4 && !engine.RelaysIPv6) ? HealthCheckResult.Unhealthy(problems)
            : problems.Length > 0 ? HealthCheckResult.Degraded(problems)
            : HealthCheckResult.Healthy());
    }
}
