using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WebRtcIms.Wwsf.Waf.Registration;

/// <summary>Degraded without a registration: users can log in, and get no tokens.</summary>
internal sealed class ClientHealthCheck(ClientState state) : IHealthCheck
{
    public const string Name = "waf-client";

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var (credentials, failure) = state.Current;
        return Task.FromResult(credentials is not null
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded($"not registered at the WAF: {failure.Reason}"));
    }
}
