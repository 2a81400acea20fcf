using System.Text.Json;
using System.Text.RegularExpressions;

namespace WebRtcIms.FlowView.Tests;

/// <summary>An alert on a metric that does not exist never fires: what documents, rules and dashboards name is in the sources.</summary>
public sealed partial class MetricNameTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(Programs.Folder, "../.."));

    // Of the platform, not of this project.
    private static readonly string[] Known =
    [
        "http.server.request.duration", "http.client.request.duration", "aspnetcore.rate_limiting.requests",
            "otel.sdk.processor.span.processed",
        "dotnet.process.cpu.time", "dotnet.process.memory.working_set",
    ];

    private static readonly string[] Parts = ["WIC", "Gateway", "WWSF", "WAF", "eP-CSCF", "TURN", "Redis"];

    private static readonly HashSet<string> Measured =
    [
        .. from part in new[] { "Turn", "Waf", "Wwsf", "EpCscf", "WicWeb", "ServiceDefaults" }
           from file in Directory.EnumerateFiles(Path.Combine(Root, part), "*.cs", SearchOption.AllDirectories)
           where !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
           from Match match in Instrument().Matches(File.ReadAllText(file))
           select match.Groups["name"].Value,
        .. Known,
    ];

    [Fact]
    public void DocumentedMetrics_Exist()
    {
        var documented = DocumentedName()
            .Matches(File.ReadAllText(Path.Combine(Root, "docs/telemetry.md")).Split("## Metrics")[1].Split("**Prometheus**")[0])
            .Select(match => match.Groups["name"].Value)
                .Where(name => name.Contains('.', StringComparison.Ordinal) && !name.StartsWith("WebRtcIms", StringComparison.Ordinal))
                .ToList();

        Assert.Superset(documented.Where(IsMetric).ToHashSet(), Measured);
        Assert.True(documented.Count(IsMetric) > 15, string.Join(' ', documented));

        static bool IsMetric(string name) =>
            Regex.IsMatch(name, "^(connections|wic|waf|wwsf|epcscf|turn|db|http|redis|telemetry|otel|aspnetcore)\\.") && !IsAttribute(name);
        static bool IsAttribute(string name) =>
            name is "turn.mac_algorithm" or "turn.method" or "turn.error_code" or "turn.kid" or "db.operation.name"
            || (name.StartsWith("aspnetcore.rate_limiting.", StringComparison.Ordinal) && !Known.Contains(name));
    }

    [Fact]
    public void AlertRules_NameMetricsThatExist_AndHaveARunbook()
    {
        var rules = File.ReadAllText(Path.Combine(Root, "deploy/prometheus/alerts.yml"));
        AssertExist(AlertExpression().Matches(rules).Select(match => match.Groups["expression"].Value));

        var operations = File.ReadAllText(Path.Combine(Root, "docs/operations.md"));
        var alerts = AlertName().Matches(rules).Select(match => match.Groups["name"].Value).ToList();
        Assert.NotEmpty(alerts);
        Assert.All(alerts, alert => Assert.Contains($"\n## {alert}\n", operations, StringComparison.Ordinal));
    }

    [Fact]
    public void Dashboards_NameMetricsThatExist_AndHaveTheFourSignalsOfEachPart()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Root, "deploy/grafana"), "*.json"))
        {
            using var dashboard = JsonDocument.Parse(File.ReadAllText(file));
            var panels = dashboard.RootElement.GetProperty("panels").EnumerateArray().Where(panel => panel.Text("type") != "row").ToList();
            foreach (var part in Parts)
            {
                foreach (var signal in new[] { "latency", "traffic", "errors", "saturation" })
                    Assert.Contains(panels, panel => panel.Text("title") == $"{part}: {signal}");
            }
            AssertExist(panels
                .SelectMany(panel => panel.GetProperty("targets").EnumerateArray())
                .Select(target => target.GetProperty("expr").GetString()!));
        }
    }

    private static void AssertExist(IEnumerable<string> expressions)
    {
        var named = expressions.Select(expression => Filter().Replace(expression, ""))
            .Select(expression => Grouping().Replace(expression, ""))
            .SelectMany(expression => MetricName().Matches(expression)).Select(match => match.Value).ToHashSet();
        var existing = Measured.Select(name => name.Replace('.', '_')).ToHashSet();
        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.True(existing.Contains(Suffix().Replace(name, "")), $"{name} is measured nowhere"));
    }

    [GeneratedRegex(
        """Create(Counter|Histogram|UpDownCounter|Gauge|ObservableCounter|ObservableGauge|ObservableUpDownCounter)(<\w+>)?\(\s*"(?<name>[a-z0-9_.]+)""")]
    private static partial Regex Instrument();

    [GeneratedRegex("`(?<name>[a-zA-Z0-9_.]+)`")]
    private static partial Regex DocumentedName();

    [GeneratedRegex(@"expr: (>\s+)?(?<expression>(.|\n)+?)\n\s+for:")]
    private static partial Regex AlertExpression();

    [GeneratedRegex(@"- alert: (?<name>\w+)")]
    private static partial Regex AlertName();

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]")]
    private static partial Regex Filter();

    [GeneratedRegex(@"\b(by|without) \([^)]*\)")]
    private static partial Regex Grouping();

    // Functions are followed by a parenthesis.
    [GeneratedRegex(@"\b[a-z]+_[a-z0-9_]+\b(?!\s*\()")]
    private static partial Regex MetricName();

    // What the exporter adds: the unit, then what of it.
    [GeneratedRegex(@"(_bytes|(_seconds)?(_bucket|_count|_sum)?|(_seconds)?_total)$")]
    private static partial Regex Suffix();
}
