using k8s.Models;

namespace WebRtcIms.Deploy.Tests;

internal static class Probes
{
    /// <summary>The three probes of a part.</summary>
    public static IReadOnlyList<V1Probe> Of(Workload workload) =>
        [workload.Container.StartupProbe, workload.Container.LivenessProbe, workload.Container.ReadinessProbe];
}
