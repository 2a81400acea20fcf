using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace WebRtcIms.Architecture.Tests;

/// <summary>What a syntax node refers to.</summary>
internal static class References
{
    /// <summary>The types and members that a node names or creates. Where an overload cannot be told, all of them.</summary>
    public static IEnumerable<ISymbol> Of(SemanticModel model, SyntaxNode node)
    {
        if (!CanRefer(node)) return [];
        var info = model.GetSymbolInfo(node);
        var symbols = info.Symbol is { } symbol ? [symbol] : info.CandidateSymbols;
        return symbols.Select(Original)
            .Where(each => each is ITypeSymbol or IMethodSymbol or IPropertySymbol or IFieldSymbol or IEventSymbol);
    }

    private static bool CanRefer(SyntaxNode node) => node
        is SimpleNameSyntax or BaseObjectCreationExpressionSyntax or ElementAccessExpressionSyntax or ConstructorInitializerSyntax;

    /// <summary>Type and member, such as <c>TurnEngine.HandleClient</c>.</summary>
    public static string Display(ISymbol symbol) => symbol switch
    {
        ITypeSymbol => symbol.Name,
        IMethodSymbol { MethodKind: MethodKind.Constructor } => $"new {symbol.ContainingType.Name}",
        _ => $"{symbol.ContainingType?.Name}.{symbol.Name}",
    };

    /// <summary>Type and member that contain a node.</summary>
    public static string MemberAround(SyntaxNode node)
    {
        var member = node.AncestorsAndSelf().Select(NameOf).FirstOrDefault(name => name is not null);
        var type = node.AncestorsAndSelf().OfType<BaseTypeDeclarationSyntax>().FirstOrDefault()?.Identifier.Text
            ?? Path.GetFileNameWithoutExtension(node.SyntaxTree.FilePath);
        return member is null ? type : $"{type}.{member}";
    }

    private static string? NameOf(SyntaxNode node) => node switch
    {
        MethodDeclarationSyntax method => method.Identifier.Text,
        PropertyDeclarationSyntax property => property.Identifier.Text,
        FieldDeclarationSyntax field => field.Declaration.Variables[0].Identifier.Text,
        ConstructorDeclarationSyntax => "new",
        _ => null,
    };

    private static ISymbol Original(ISymbol symbol) => symbol switch
    {
        IMethodSymbol { ReducedFrom: { } unreduced } => unreduced.OriginalDefinition,
        IMethodSymbol { MethodKind: MethodKind.LocalFunction } local => local.ContainingType,
        _ => symbol.OriginalDefinition,
    };
}
