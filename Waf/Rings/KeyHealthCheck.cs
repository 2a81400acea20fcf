using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WebRtcIms.Waf.Rings;

/// <summary>Degraded while rings cannot be read: keys do not rotate, and changes of other replicas are not known.</summary>
internal sealed class KeyHealthCheck(KeyRotation rotation) : IHealthCheck
{
    public const string Name = "keys";

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(rotation.Problem is { } problem
            ? HealthCheckResult.Degraded($"the keys cannot be read from the store ({problem}); tokens are issued with the known keys")
            : HealthCheckResult.Healthy());
}
