using k8s;
using k8s.Models;

namespace WebRtcIms.Deploy.Tests;

/// <summary>The objects that the chart makes with some values, read strictly: an unknown field is an error.</summary>
internal sealed class Variant
{
    /// <summary>With the default values.</summary>
    public const string Default = "default";

    /// <summary>With values-monitored.yaml.</summary>
    public const string Monitored = "monitored";

    /// <summary>With all that can be turned on.</summary>
    public const string Everything = "everything";

    private static readonly Dictionary<string, Type> OtherTypes =
        new() { ["monitoring.coreos.com/v1/PodMonitor"] = typeof(PodMonitor) };

    private Variant(Dictionary<string, string> values)
    {
        Values = values;
        Files = Chart.Render(values);
        Objects = [.. Files.Values.SelectMany(Read)];
        Workloads =
        [
            .. All<V1Deployment>().Select(deployment => new Workload(deployment.Name(), deployment.Spec.Template)),
            .. All<V1StatefulSet>().Select(set => new Workload(set.Name(), set.Spec.Template)),
        ];
    }

    public static TheoryData<string> Names => [Default, Monitored, Everything];

    public IReadOnlyDictionary<string, string> Values { get; }

    public SortedDictionary<string, string> Files { get; }

    public IReadOnlyList<IKubernetesObject<V1ObjectMeta>> Objects { get; }

    public IReadOnlyList<Workload> Workloads { get; }

    public static Variant Of(string name)
    {
        var values = Chart.Values(name == Default ? null : "values-monitored.yaml");
        if (name != Everything) return new(values);
        values["flowView.enabled"] = "true";
        values["turn.nodeDomain"] = "turn.example.com";
        values["wwsf.storageClass"] = "shared";
        return new(values);
    }

    public static IEnumerable<IKubernetesObject<V1ObjectMeta>> Read(string yaml) =>
        KubernetesYaml.LoadAllFromString(yaml, OtherTypes, strict: true).Cast<IKubernetesObject<V1ObjectMeta>>();

    public IEnumerable<T> All<T>() => Objects.OfType<T>();
}
