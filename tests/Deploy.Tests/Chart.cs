using YamlDotNet.Serialization;

namespace WebRtcIms.Deploy.Tests;

/// <summary>The Helm chart in <c>deploy/kubernetes/chart</c>.</summary>
internal static class Chart
{
    public const string Namespace = "webrtcims";

    private const string DefaultValues = "values.yaml";

    private static readonly string Folder = Repository.PathOf("deploy", "kubernetes", "chart");

    /// <summary>The values of the chart, such as <c>image.tag</c>, and those of another file that replace them.</summary>
    public static Dictionary<string, string> Values(string? others = null)
    {
        Dictionary<string, string> values = [];
        foreach (var file in others is null ? new[] { DefaultValues } : [DefaultValues, others])
        {
            foreach (var (name, value) in Flatten("", Read(file))) values[name] = value;
        }

        return values;
    }

    public static string AppVersion => (string)Read("Chart.yaml")["appVersion"];

    /// <summary>The files that the chart makes, by name.</summary>
    public static SortedDictionary<string, string> Render(IReadOnlyDictionary<string, string> values)
    {
        SortedDictionary<string, string> files = new(StringComparer.Ordinal);
        foreach (var path in Directory.GetFiles(Path.Combine(Folder, "templates")))
        {
            var text = ChartTemplate.Render(File.ReadAllText(path), Namespace, values).Trim();
            if (text.Length > 0) files[Path.GetFileName(path)] = text + "\n";
        }

        return files;
    }

    private static Dictionary<object, object> Read(string file) =>
        new DeserializerBuilder().Build().Deserialize<Dictionary<object, object>>(File.ReadAllText(Path.Combine(Folder, file)));

    private static IEnumerable<(string Name, string Value)> Flatten(string prefix, Dictionary<object, object> values) =>
        values.SelectMany(entry => entry.Value is Dictionary<object, object> inner
            ? Flatten($"{prefix}{entry.Key}.", inner)
            : [($"{prefix}{entry.Key}", (string)entry.Value)]);
}
