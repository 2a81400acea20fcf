using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using k8s.Models;
using YamlDotNet.Core;

namespace WebRtcIms.Deploy.Tests;

/// <summary>Each object has the fields of its kind, refers to objects that exist, and runs with few rights.</summary>
public sealed class ObjectTests
{
    // An operator makes them of the certificates that browsers trust.
    private static readonly string[] PublicCertificates = ["turn-tls", "wic-web-tls"];

    private static readonly string[] Requested = ["cpu", "memory"];

    public static TheoryData<string> Variants => Variant.Names;

    [Theory]
    [MemberData(nameof(Variants))]
    public void Objects_AreOfThisNamespaceAndDeployment_AndThereOnce(string variant)
    {
        var objects = Variant.Of(variant).Objects;

        Assert.All(objects, each =>
        {
            Assert.Equal(each is V1PriorityClass ? null : Chart.Namespace, each.Metadata.NamespaceProperty);
            Assert.Equal("webrtcims", each.Metadata.Labels["app.kubernetes.io/part-of"]);
        });
        Assert.Equal(objects.Count, objects.Select(each => (each.Kind, each.Metadata.Name)).Distinct().Count());
    }

    [Theory]
    [InlineData("apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  port: 1\n")]
    [InlineData("apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata:\n  name: a\nspec:\n  podSelector: {}\n")]
    public void UnknownField_IsAnError(string yaml) => Assert.Throws<YamlException>(() => Variant.Read(yaml).ToList());

    [Theory]
    [InlineData(Variant.Default, new[] { "ep-cscf", "turn", "waf", "wic-web", "wwsf" })]
    [InlineData(Variant.Monitored, new[] { "ep-cscf", "turn", "waf", "wic-web", "wwsf" })]
    [InlineData(Variant.Everything, new[] { "ep-cscf", "flow-view", "turn", "waf", "wic-web", "wwsf" })]
    public void Workloads_AreTheParts_WithTheirImages(string variant, string[] parts)
    {
        var workloads = Variant.Of(variant).Workloads;

        Assert.Equal(parts, workloads.Select(workload => workload.Name).Order(StringComparer.Ordinal));
        Assert.Equal(Repository.Version, Chart.AppVersion);
        Assert.All(workloads, workload =>
            Assert.Equal($"webrtcims/{workload.Name}:{Repository.Version}", workload.Container.Image));
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Pods_RunWithFewRights(string variant) => Assert.All(Variant.Of(variant).Workloads, workload =>
    {
        var pod = workload.Template.Spec;
        var container = workload.Container.SecurityContext;
        Assert.True(pod.SecurityContext is { RunAsNonRoot: true, RunAsUser: > 0, SeccompProfile.Type: "RuntimeDefault" }, workload.Name);
        Assert.True(container is { AllowPrivilegeEscalation: false, ReadOnlyRootFilesystem: true, Capabilities.Add: null }, workload.Name);
        Assert.Equal(["ALL"], container.Capabilities.Drop);
        Assert.True(pod is { AutomountServiceAccountToken: false, EnableServiceLinks: false }, workload.Name);
        Assert.Equal(workload.Name == "turn", workload.IsOnHostNetwork);
        Assert.Contains("memory", workload.Container.Resources.Limits.Keys);
        Assert.All(Requested, name => Assert.Contains(name, workload.Container.Resources.Requests.Keys));
    });

    [Theory]
    [MemberData(nameof(Variants))]
    public void References_LeadToObjects(string variant)
    {
        var made = Variant.Of(variant);
        var labels = made.Workloads.ToDictionary(workload => workload.Name, workload => workload.Template.Metadata.Labels);
        var selectors = made.All<V1Service>().Select(service => (service.Name(), service.Spec.Selector))
            .Concat(made.All<V1Deployment>().Select(each => (each.Name(), each.Spec.Selector.MatchLabels)))
            .Concat(made.All<V1StatefulSet>().Select(each => (each.Name(), each.Spec.Selector.MatchLabels)))
            .Concat(made.All<V1PodDisruptionBudget>().Select(each => (each.Name(), each.Spec.Selector.MatchLabels)))
            .Concat(made.All<V1NetworkPolicy>().Select(each => (each.Name(), each.Spec.PodSelector.MatchLabels)));
        Assert.All(selectors, selector => Assert.Equal(labels[selector.Item1], selector.Item2));

        var owners = made.All<V1Deployment>().Select(each => ("Deployment", each.Name()))
            .Concat(made.All<V1StatefulSet>().Select(each => ("StatefulSet", each.Name()))).ToList();
        Assert.All(made.All<V2HorizontalPodAutoscaler>(), each =>
            Assert.Contains((each.Spec.ScaleTargetRef.Kind, each.Spec.ScaleTargetRef.Name), owners));
        Assert.All(made.All<V1StatefulSet>(), each =>
            Assert.Contains(made.All<V1Service>(), service => service.Name() == each.Spec.ServiceName && service.Spec.ClusterIP == "None"));

        var priorities = made.All<V1PriorityClass>().Select(each => each.Name()).ToList();
        Assert.All(made.Workloads, workload => Assert.Contains(workload.Template.Spec.PriorityClassName, priorities));
    }

    /// <summary>An apply must not set the number of replicas back.</summary>
    [Theory]
    [MemberData(nameof(Variants))]
    public void Replicas_AreThoseOfTheAutoscaler_IfThereIsOne(string variant)
    {
        var made = Variant.Of(variant);
        var scaled = made.All<V2HorizontalPodAutoscaler>().Select(each => each.Name()).ToHashSet();

        Assert.All(made.All<V1Deployment>(), each => Assert.Equal(scaled.Contains(each.Name()), each.Spec.Replicas is null));
        Assert.All(made.All<V1StatefulSet>(), each => Assert.Equal(scaled.Contains(each.Name()), each.Spec.Replicas is null));
        Assert.Equal(variant != Variant.Default, scaled.Contains("turn"));
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public async Task SecretsAndFiles_AreThoseThatTheScriptsMake(string variant)
    {
        using var folder = new TemporaryFolder();
        var keys = await Secrets.OfPartsAsync();
        var certificates = await Secrets.OfCertificatesAsync(folder.Path);
        var made = Variant.Of(variant);
        var claims = made.All<V1PersistentVolumeClaim>().Select(claim => claim.Name()).ToList();

        Assert.All(made.Workloads, workload =>
        {
            Assert.All(workload.Secrets, secret => Assert.True(keys.ContainsKey(secret), secret));
            foreach (var volume in workload.Template.Spec.Volumes)
            {
                Assert.Contains(workload.Container.VolumeMounts, mount => mount.Name == volume.Name);
                if (volume.Secret is { SecretName: var name })
                    Assert.Contains(name, certificates.Keys.Concat(keys.Keys).Concat(PublicCertificates));
                if (volume.ConfigMap is { } map) Assert.True(certificates.ContainsKey(map.Name), map.Name);
                if (volume.PersistentVolumeClaim is { } claim) Assert.Contains(claim.ClaimName, claims);
            }
        });
    }

    [Fact]
    public async Task Certificates_AreForTheNamesOfTheServices_AndOfTheAuthority()
    {
        using var folder = new TemporaryFolder();
        var first = await Secrets.OfCertificatesAsync(folder.Path);
        var renewed = await Secrets.OfCertificatesAsync(folder.Path);
        using var authority = X509Certificate2.CreateFromPem(first["internal-ca"]["ca.crt"]);

        Assert.Equal(first["internal-ca"]["ca.crt"], renewed["internal-ca"]["ca.crt"]);
        foreach (var name in new[] { "ep-cscf", "flow-view", "waf", "wwsf" })
        {
            var files = renewed[$"{name}-tls"];
            Assert.NotEqual(first[$"{name}-tls"]["tls.crt"], files["tls.crt"]);
            using var certificate = X509Certificate2.CreateFromPem(files["tls.crt"], files["tls.key"]);
            Assert.True(certificate.MatchesHostname(name) && certificate.MatchesHostname($"{name}.{Chart.Namespace}.svc"), name);
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(authority);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            Assert.True(chain.Build(certificate), name);
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void NameOfTurn_IsTheSameInTokens_InTheUrisOfPages_AndInDns(string variant)
    {
        var made = Variant.Of(variant);
        var service = made.All<V1Service>().Single(each => each.Name() == "turn");
        var name = service.Metadata.Annotations["external-dns.alpha.kubernetes.io/hostname"];

        Assert.Equal(name, VariableOf("turn", "Turn__ServerName"));
        Assert.Equal(name, VariableOf("waf", "Waf__TurnServers__0__Name"));
        Assert.Equal(name, VariableOf("waf", "Waf__InitialAccessTokens__0__Audiences__0"));
        Assert.Equal(name, VariableOf("wwsf", "Wwsf__TurnServerName"));
        Assert.Equal(
            [$"turn:{name}:3478?transport=udp", $"turn:{name}:3478?transport=tcp", $"turns:{name}:5349?transport=tcp"],
            Enumerable.Range(0, 3).Select(number => VariableOf("wwsf", $"Wwsf__TurnUris__{number}")));

        string VariableOf(string part, string variable) =>
            made.Workloads.Single(workload => workload.Name == part).Container.Env.Single(each => each.Name == variable).Value;
    }

    /// <summary>Kubernetes must not end a node earlier than its drain does.</summary>
    [Theory]
    [MemberData(nameof(Variants))]
    public void Turn_HasTheTimeToDrain(string variant)
    {
        var turn = Variant.Of(variant).Workloads.Single(workload => workload.Name == "turn");
        var deadline = TimeSpan.Parse(
            turn.Container.Env.Single(each => each.Name == "Turn__Drain__Deadline").Value, CultureInfo.InvariantCulture);

        Assert.True(deadline > TimeSpan.Zero);
        var least = turn.Container.Lifecycle.PreStop.Sleep.Seconds + deadline.TotalSeconds + 10;
        Assert.InRange(turn.Template.Spec.TerminationGracePeriodSeconds ?? 0, least, least + 600);
    }
}
