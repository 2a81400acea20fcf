using System.Globalization;

namespace WebRtcIms.Deploy.Tests;

/// <summary>The manifests are what the chart makes, and the chart keeps to the subset of the language that is rendered here.</summary>
public sealed class RenderingTests
{
    private static readonly string Manifests = Repository.PathOf("deploy", "kubernetes", "manifests");

    [Theory]
    [InlineData("default", "")]
    [InlineData("monitored", "monitored")]
    public void Manifests_AreTheRenderedChart(string variant, string folder)
    {
        var wanted = Variant.Of(variant).Files.ToDictionary(file => file.Key, file => file.Value);
        wanted["kustomization.yaml"] = Kustomization(wanted.Keys);
        var path = Path.Combine(Manifests, folder);
        if (Environment.GetEnvironmentVariable("UPDATE_MANIFESTS") is { Length: > 0 }) Write(path, wanted);

        var actual = Directory.GetFiles(path).ToDictionary(file => Path.GetFileName(file), File.ReadAllText);
        var different = wanted.Keys.Union(actual.Keys).Where(name => wanted.GetValueOrDefault(name) != actual.GetValueOrDefault(name));
        Assert.True(!different.Any(),
            $"Not as rendered: {string.Join(", ", different)}. UPDATE_MANIFESTS=1 dotnet test tests/Deploy.Tests writes them.");
    }

    [Theory]
    [InlineData("a: {{ .Values.text }}\n", "a: t\n")]
    [InlineData("a: {{ .Release.Namespace }}-b\n", "a: webrtcims-b\n")]
    [InlineData("a:\n  {{- if .Values.on }}\n  b\n  {{- end }}\n  c\n", "a:\n  b\n  c\n")]
    [InlineData("a:\n  {{- if .Values.off }}\n  b\n  {{- end }}\n  c\n", "a:\n  c\n")]
    [InlineData("a:\n  {{- if .Values.empty }}\n  b\n  {{- else }}\n  c\n  {{- end }}\n", "a:\n  c\n")]
    [InlineData("a: b{{ if .Values.on }};c{{ end }}\n", "a: b;c\n")]
    [InlineData("a:\n  {{- if .Values.off }}\n  {{- if .Values.on }}\n  b\n  {{- end }}\n  {{- end }}\n  c\n", "a:\n  c\n")]
    public void Template_IsRenderedAsByHelm(string template, string expected) =>
        Assert.Equal(expected, ChartTemplate.Render(template, Chart.Namespace,
            new Dictionary<string, string> { ["text"] = "t", ["on"] = "true", ["off"] = "false", ["empty"] = "" }));

    [Theory]
    [InlineData("{{ .Values.a | quote }}")]
    [InlineData("{{ include \"x\" . }}")]
    [InlineData("{{ .Chart.Name }}")]
    [InlineData("{{ if .Values.a }}")]
    public void Template_BeyondTheSubset_IsRefused(string template) =>
        Assert.Throws<FormatException>(
            () => ChartTemplate.Render(template, Chart.Namespace, new Dictionary<string, string> { ["a"] = "b" }));

    [Fact]
    public void Template_WithAnUnknownValue_IsRefused() =>
        Assert.Throws<KeyNotFoundException>(
            () => ChartTemplate.Render("{{ .Values.none }}", Chart.Namespace, new Dictionary<string, string>()));

    /// <summary>Helm reads a number as a float, and writes a larger one with an exponent.</summary>
    [Fact]
    public void Numbers_StayBelowAMillion() => Assert.All(Chart.Values(), value => Assert.True(
        !long.TryParse(value.Value, CultureInfo.InvariantCulture, out var number) || number < 1_000_000, value.Key));

    private static string Kustomization(IEnumerable<string> files) => string.Concat(
        "# Rendered from the chart by tests/Deploy.Tests, as all files here. Change the chart.\n",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n",
        string.Concat(files.Order(StringComparer.Ordinal).Select(file => $"  - {file}\n")));

    private static void Write(string folder, Dictionary<string, string> files)
    {
        Directory.CreateDirectory(folder);
        foreach (var old in Directory.GetFiles(folder)) File.Delete(old);
        foreach (var (name, text) in files) File.WriteAllText(Path.Combine(folder, name), text);
    }
}
