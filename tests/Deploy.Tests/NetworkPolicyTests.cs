using k8s.Models;

namespace WebRtcIms.Deploy.Tests;

/// <summary>The network policies allow what the model of the AppHost refers to, and nothing else.</summary>
public sealed class NetworkPolicyTests
{
    private const string FlowView = "flow-view";
    private const string Name = "app.kubernetes.io/name";

    [Theory]
    [InlineData(Variant.Default)]
    [InlineData(Variant.Everything)]
    public async Task Arrows_AreTheReferencesOfTheModel(string variant)
    {
        var made = Variant.Of(variant);
        var hasFlowView = made.Workloads.Any(workload => workload.Name == FlowView);
        var model = (await AppHostModel.ArrowsAsync()).Where(arrow => hasFlowView || arrow.To != FlowView).ToList();
        var policies = made.All<V1NetworkPolicy>().ToList();
        var pods = made.Workloads.Where(workload => !workload.IsOnHostNetwork).Select(workload => workload.Name).ToList();

        // A policy has no effect on a pod on the network of its node.
        Assert.Equal(pods.Order(), policies.Select(policy => policy.Name()).Order());
        Assert.All(policies, policy => Assert.Equal(["Egress", "Ingress"], policy.Spec.PolicyTypes.Order()));

        var outgoing = from policy in policies
                       from rule in policy.Spec.Egress
                       where !IsNameService(rule)
                       select (policy.Name(), Destination(rule, made.Values));
        Assert.Equal(model.Where(arrow => pods.Contains(arrow.From)).Order(), outgoing.Order());

        var incoming = from policy in policies
                       from rule in policy.Spec.Ingress
                       where !IsPublic(policy, rule) && !IsMonitoring(rule)
                       from peer in rule.FromProperty
                       select (Source(peer, made.Values), policy.Name());
        Assert.Equal(model.Where(arrow => pods.Contains(arrow.To)).Order(), incoming.Order());
    }

    [Theory]
    [InlineData(Variant.Default, false)]
    [InlineData(Variant.Monitored, true)]
    public void Metrics_AreOnlyForTheNamespaceOfPrometheus(string variant, bool isOpen) =>
        Assert.All(Variant.Of(variant).All<V1NetworkPolicy>(), policy => Assert.Equal(isOpen, policy.Spec.Ingress.Any(IsMonitoring)));

    /// <summary>A rule without a port opens all ports.</summary>
    [Theory]
    [MemberData(nameof(Variants))]
    public void Rules_NamePorts(string variant) => Assert.All(Variant.Of(variant).All<V1NetworkPolicy>(), policy =>
    {
        Assert.All(policy.Spec.Ingress, rule => Assert.True(rule.Ports is [{ Port.Value: "https" or "metrics" }], policy.Name()));
        Assert.All(policy.Spec.Egress, rule => Assert.NotEmpty(rule.Ports));
    });

    public static TheoryData<string> Variants => Variant.Names;

    private static string Destination(V1NetworkPolicyEgressRule rule, IReadOnlyDictionary<string, string> values)
    {
        var (peer, port) = (Assert.Single(rule.To), Assert.Single(rule.Ports).Port.Value);
        if (peer.IpBlock is { Cidr: var range })
        {
            return (range, port) == (values["redis.range"], values["redis.port"]) ? "redis"
                : (range, port) == (values["postgres.range"], values["postgres.port"]) ? "postgres"
                : $"{range}:{port}";
        }

        Assert.Equal("8443", port);
        return peer.PodSelector.MatchLabels[Name];
    }

    private static string Source(V1NetworkPolicyPeer peer, IReadOnlyDictionary<string, string> values) =>
        peer.IpBlock is not { Cidr: var range } ? peer.PodSelector.MatchLabels[Name]
        : range == values["network.nodes"] ? "turn" : range;

    private static bool IsNameService(V1NetworkPolicyEgressRule rule) =>
        rule.Ports.All(port => port.Port.Value == "53")
        && rule.To is [{ NamespaceSelector.MatchLabels: var labels }] && labels["kubernetes.io/metadata.name"] == "kube-system";

    private static bool IsMonitoring(V1NetworkPolicyIngressRule rule) =>
        rule.Ports is [{ Port.Value: "metrics" }] && rule.FromProperty is [{ NamespaceSelector.MatchLabels: var labels }]
        && labels["kubernetes.io/metadata.name"] == "monitoring";

    private static bool IsPublic(V1NetworkPolicy policy, V1NetworkPolicyIngressRule rule) =>
        policy.Name() == "wic-web" && rule.FromProperty is null or [];
}
