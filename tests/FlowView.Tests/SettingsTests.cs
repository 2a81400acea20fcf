using Microsoft.Extensions.Configuration;
using WebRtcIms.FlowView.Settings;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.FlowView.Tests;

/// <summary>Settings that cannot be used stop the start with a sentence that names them.</summary>
public sealed class SettingsTests
{
    private const string Id = "0af7651916cd43dd8448eb211c80319c";

    [Theory]
    [InlineData("http://localhost:15080/traces/detail/{trace_id}", "Aspire", $"http://localhost:15080/traces/detail/{Id}")]
    [InlineData("https://jaeger.example/trace/{trace_id}", "jaeger.example", $"https://jaeger.example/trace/{Id}")]
    [InlineData("https://tempo.example/explore?q={trace_id}&left=1", "tempo.example", $"https://tempo.example/explore?q={Id}&left=1")]
    public void TraceUrl_IsALinkWithTheTraceId(string template, string name, string url)
    {
        var viewer = Assert.Single(Read(template).Viewers);

        Assert.Equal((name, url), (viewer.Name, viewer.UrlOf(Id)));
    }

    [Theory]
    [InlineData("http://one.example/{trace_id} http://two.example/{trace_id}")]
    [InlineData("http://one.example/{trace_id};http://two.example/{trace_id}")]
    [InlineData(" http://one.example/{trace_id} ; http://two.example/{trace_id};")]
    public void SeveralTraceUrls_AreLinksInTheirOrder(string templates) =>
        Assert.Equal(["one.example", "two.example"], Read(templates).Viewers.Select(viewer => viewer.Name));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void NoTraceUrl_NoLinks(string? template) => Assert.Empty(Read(template).Viewers);

    [Theory]
    [InlineData("https://jaeger.example/trace/")]
    [InlineData("jaeger.example/trace/{trace_id}")]
    [InlineData("/trace/{trace_id}")]
    [InlineData("ftp://jaeger.example/{trace_id}")]
    [InlineData("javascript:alert({trace_id})")]
    public void WrongTraceUrl_StopsTheStartWithASentence(string template)
    {
        var error = Assert.Throws<SettingsException>(() => Read($"https://good.example/{{trace_id}} {template}"));

        Assert.EndsWith(
            $"FlowView:TraceUrl must be http or https addresses that contain {{trace_id}}, not " +
            $"'{template}'", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, error.Message.Split('\n').Length);
    }

    [Fact]
    public void WrongNumber_StopsTheStartWithASentence()
    {
        var error = Assert.Throws<SettingsException>(() => Read(null, ("FlowView:Spans", "many")));

        Assert.Contains("FlowView:Spans must be a whole number", error.Message, StringComparison.Ordinal);
    }

    private static FlowViewSettings Read(string? traceUrl, params (string Key, string Value)[] more) => FlowViewSettings.Read(
        new ConfigurationBuilder()
            .AddInMemoryCollection(
                [new("FlowView:TraceUrl", traceUrl), .. more.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value))])
            .Build());
}
