namespace WebRtcIms.AppHost;

internal static class EpCscf
{
    /// <summary>
    /// Adds the eP-CSCF, with the parameter <c>epcscf-flow-token-key</c>. It accepts registration tokens of <paramref name="waf"/>.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AddEpCscf(this IDistributedApplicationBuilder builder, string name,
        IResourceBuilder<ProjectResource> waf)
    {
        var flowTokenKey = builder.AddParameter("epcscf-flow-token-key", new RandomKey(), secret: true, persist: true)
            .WithDescription("Authenticates the eP-CSCF's route tokens: 32 bytes in base64.");
        var epCscf = builder.AddService<Projects.EpCscf>(name)
            .WithEnvironment("EpCscf__HomeDomain", Ims.Domain)
            .WithEnvironment("EpCscf__Waf", waf.Get<WafAnnotation>().Identity)
            .WithEnvironment("EpCscf__FlowTokenKey", flowTokenKey)
            .WithIconName("CallConnecting");
        waf.WithRegistrationKeysFor(epCscf);
        return epCscf;
    }
}
