using System.Globalization;
using System.Text.RegularExpressions;
using k8s.Models;

namespace WebRtcIms.Deploy.Tests;

/// <summary>Each port of a container is one on which the part listens, and Services and probes lead to these ports.</summary>
public sealed partial class PortTests
{
    public static TheoryData<string> Variants => Variant.Names;

    [Theory]
    [MemberData(nameof(Variants))]
    public void ContainerPorts_AreThoseOnWhichThePartListens(string variant) => Assert.All(Variant.Of(variant).Workloads, workload =>
    {
        var variables = workload.Container.Env.Where(each => each.Value is not null).ToDictionary(each => each.Name, each => each.Value);
        var tcp = UrlPort().Matches(variables["ASPNETCORE_URLS"]).Select(match => match.Groups[1].Value).ToList();
        // TLS over TCP and DTLS over UDP have the same number.
        string[] turn = workload.Name == "turn" ? [variables["Turn__Port"], variables["Turn__TlsPort"]] : [];
        var wanted = tcp.Concat(turn).Select(port => ("TCP", port)).Concat(turn.Select(port => ("UDP", port)));
        var actual = workload.Container.Ports.Select(
            port => (port.Protocol ?? "TCP", port.ContainerPort.ToString(CultureInfo.InvariantCulture)));

        Assert.Equal(wanted.Order(), actual.Order());
        // On the network of the node, and only there, the port of the pod is a port of the node.
        Assert.All(workload.Container.Ports, port => Assert.Equal(workload.IsOnHostNetwork ? port.ContainerPort : null, port.HostPort));
        Assert.Equal(
            workload.Container.Ports.SingleOrDefault(port => port.Name == "metrics")?.ContainerPort.ToString(CultureInfo.InvariantCulture),
            variables.GetValueOrDefault("Prometheus__Port"));
    });

    [Theory]
    [MemberData(nameof(Variants))]
    public void Services_LeadToPortsOfTheirPods(string variant)
    {
        var made = Variant.Of(variant);
        foreach (var service in made.All<V1Service>())
        {
            var ports = made.Workloads.Single(workload => workload.Name == service.Name()).Container.Ports;
            Assert.All(service.Spec.Ports, port => Assert.Contains(
                ports, target => target.Name == port.TargetPort.Value && (target.Protocol ?? "TCP") == (port.Protocol ?? "TCP")));
            // The addresses in the settings have the number of the Service, and the network policies that of the pod.
            if (service.Spec.Type == "LoadBalancer") continue;
            Assert.All(service.Spec.Ports, port => Assert.Equal(ports.First(target => target.Name == port.Name).ContainerPort, port.Port));
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void AddressesOfParts_AreThoseOfServices(string variant)
    {
        var made = Variant.Of(variant);
        var addresses = made.All<V1Service>()
            .SelectMany(service => service.Spec.Ports.Select(port => $"https://{service.Name()}:{port.Port}")).ToList();
        var references = from workload in made.Workloads
                         from variable in workload.Container.Env
                         where variable.Name.StartsWith("services__", StringComparison.Ordinal) || variable.Name == "FlowView__Endpoint"
                         select variable;
        Assert.NotEmpty(references);
        Assert.All(references, reference => Assert.Contains(reference.Value, addresses));
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Probes_LeadToPortsOfTheContainer(string variant) => Assert.All(Variant.Of(variant).Workloads, workload =>
    {
        Assert.All(Probes.Of(workload), probe =>
        {
            Assert.Contains(workload.Container.Ports, port => port.Name == probe.HttpGet.Port.Value);
            Assert.Equal(probe.HttpGet.Port.Value == "https" ? "HTTPS" : null, probe.HttpGet.Scheme);
            // Management listens on loopback, which a probe of a pod on the network of its node reaches.
            Assert.Equal(workload.IsOnHostNetwork ? "127.0.0.1" : null, probe.HttpGet.Host);
        });
    });

    [GeneratedRegex("https?://[^:]+:([0-9]+)")]
    private static partial Regex UrlPort();
}
